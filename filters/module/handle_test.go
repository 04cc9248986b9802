package main

import (
	"sync"
	"testing"
)

func TestHandles(t *testing.T) {
	var h handles[int]
	if h.get(0) != nil || h.get(1) != nil || h.get(1<<40) != nil {
		t.Fatal("a handle that was never given out has a value")
	}
	h.remove(0)
	h.remove(7)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 {
				v := g*10000 + i
				handle := h.add(&v)
				if handle == 0 || *h.get(handle) != v {
					t.Error("another value came back")
				}
				if i%2 == 0 {
					h.remove(handle)
				}
			}
		})
	}
	wg.Wait()
	live := 0
	for i := range uintptr(h.next) {
		if h.get(i+1) != nil {
			live++
		}
	}
	if live != 8*1500 {
		t.Errorf("%d handles are in use, want %d", live, 8*1500)
	}
	if int(h.next) > live+8 {
		t.Errorf("%d slots for %d values", h.next, live)
	}
}
