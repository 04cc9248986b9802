package live

import (
	"sync/atomic"
	"testing"
)

func TestStop(t *testing.T) {
	var ended atomic.Int32
	var s Set[int]
	s.End = func(one int) { ended.Add(1); s.Remove(one) }
	for i := range 3 {
		if !s.Add(i) {
			t.Fatal("refused")
		}
	}
	s.Remove(1)
	s.Stop()
	s.Wait()
	if ended.Load() != 2 || s.Add(4) {
		t.Errorf("%d ended", ended.Load())
	}
}
