package ssh

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// writes is a connection that keeps what is written, and how often.
type writes struct {
	net.Conn
	mu   sync.Mutex
	all  []byte
	n    int
	fail error
	came chan struct{}
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return 0, w.fail
	}
	w.all, w.n = append(w.all, b...), w.n+1
	select {
	case w.came <- struct{}{}:
	default:
	}
	return len(b), nil
}

// TestCorkOrder: whatever is held, all bytes leave, in the order in which they were written.
func TestCorkOrder(t *testing.T) {
	w := &writes{}
	c := &corked{Conn: w}
	var want []byte
	for i := range 200 {
		b := bytes.Repeat([]byte{byte(i)}, rand.IntN(40_000))
		want = append(want, b...)
		write := func() error {
			for rest := b; len(rest) > 0; {
				n, err := c.Write(rest[:min(len(rest), 1+rand.IntN(8192))])
				if err != nil {
					return err
				}
				rest = rest[n:]
			}
			return nil
		}
		if err := c.together(len(b), write); err != nil {
			t.Fatal(err)
		}
		if c.holds != 0 || c.buf != nil {
			t.Fatal("something is held after it was released")
		}
		if len(w.all) != len(want) {
			t.Fatalf("%d bytes have left of %d", len(w.all), len(want))
		}
	}
	if !bytes.Equal(w.all, want) {
		t.Fatal("the order is another")
	}
	big := make([]byte, 3*corkMax)
	_ = c.together(len(big), func() error { _, err := c.Write(big); return err })
	if len(w.all) != len(want)+len(big) {
		t.Error("what is too long for the buffer does not leave")
	}
}

// TestCorkTogether: the two writes of each of a message's packets are one.
func TestCorkTogether(t *testing.T) {
	w := &writes{}
	c := &corked{Conn: w}
	_ = c.together(corkMin, func() error {
		for range 6 {
			_, _ = c.Write([]byte("part"))
		}
		return nil
	})
	if w.n != 1 || len(w.all) != 24 {
		t.Errorf("%d bytes with %d writes", len(w.all), w.n)
	}
}

// TestCorkWaits: what is held leaves by itself when whoever writes it waits for an answer.
func TestCorkWaits(t *testing.T) {
	w := &writes{came: make(chan struct{}, 1)}
	c := &corked{Conn: w}
	err := c.together(corkMin, func() error {
		if _, err := c.Write([]byte("question")); err != nil {
			return err
		}
		<-w.came
		_, err := c.Write([]byte("more"))
		return err
	})
	if err != nil || string(w.all) != "questionmore" {
		t.Errorf("%q %v", w.all, err)
	}
}

// TestCorkFails: an error that nobody has seen is that of what is written next.
func TestCorkFails(t *testing.T) {
	w := &writes{fail: io.ErrClosedPipe}
	c := &corked{Conn: w}
	_ = c.together(corkMin, func() error { _, err := c.Write([]byte("x")); return err })
	if _, err := c.Write([]byte("y")); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
