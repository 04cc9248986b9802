package kube

import (
	"errors"
	"io"
	"sync/atomic"

	"dragoman.dev/dragoman/internal/termmask"
)

// output is one stream of the target's on its way to the client: masked, recorded, delivered. take and close are for one
// goroutine; abort is for any.
type output struct {
	deliver func([]byte) error
	counted func(masked int64)
	mask    *termmask.Masker // nil: nothing is masked, or a terminal is
	out     []byte
	gone    atomic.Bool

	pipe *io.PipeWriter // of a terminal, where what is kept back leaves after a while
	done chan error
}

// newOutput delivers what a mask leaves; the bytes are valid during the call. counted is told how much more it has masked.
func newOutput(m *termmask.Masker, tty bool, deliver func([]byte) error, counted func(int64)) *output {
	o := &output{deliver: deliver, counted: counted}
	switch {
	case m.Passes():
	case tty:
		o.terminal(m)
	default:
		o.mask = m
	}
	return o
}

func (o *output) terminal(m *termmask.Masker) {
	r, w := io.Pipe()
	o.pipe, o.done = w, make(chan error, 1)
	go func() {
		err := m.Copy(r, func(b []byte) error {
			if len(b) == 0 {
				return nil
			}
			return o.deliver(b)
		})
		r.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		o.counted(m.Masked())
		o.done <- err
	}()
}

func (o *output) take(b []byte) error {
	switch {
	case len(b) == 0:
		return nil
	case o.pipe != nil:
		_, err := o.pipe.Write(b)
		return err
	case o.mask == nil:
		return o.deliver(b)
	case o.gone.Load():
		return io.ErrClosedPipe
	}
	before := o.mask.Masked()
	o.out = o.mask.Write(o.out[:0], b)
	return o.masked(before)
}

// masked delivers what the mask has left.
func (o *output) masked(before int64) error {
	if n := o.mask.Masked() - before; n > 0 {
		o.counted(n)
	}
	if len(o.out) == 0 {
		return nil
	}
	return o.deliver(o.out)
}

// close delivers what is kept back.
func (o *output) close() {
	switch {
	case o.pipe != nil:
		o.pipe.Close()
		<-o.done
	case o.mask != nil && !o.gone.Swap(true):
		before := o.mask.Masked()
		o.out = o.mask.Flush(o.out[:0])
		_ = o.masked(before) // whoever goes on finds out
	}
}

// abort gives up what is not delivered yet, without waiting for it.
func (o *output) abort() {
	o.gone.Store(true)
	if o.pipe != nil {
		_ = o.pipe.CloseWithError(io.ErrClosedPipe)
	}
}
