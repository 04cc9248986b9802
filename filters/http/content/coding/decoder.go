package coding

import (
	"errors"
	"fmt"
	"io"

	"dragoman.dev/dragoman/filters/http/content/refusal"
)

// Decoder undoes codings. The libraries that do it pull their input, so they run
// on a goroutine of the decoder's own, which only ever works while its
// user waits for it: there is no concurrency. A Decoder must be closed or aborted.
type Decoder struct {
	names    []string
	ratio    int64
	in, out  int64
	pieces   chan []byte   // to the goroutine: the next piece; closed at the end
	events   chan event    // from it
	resume   chan struct{} // to it: the plain bytes were taken
	quit     chan struct{} // closed by Abort
	started  bool
	finished bool // the goroutine is gone
	aborted  bool
	err      error
}

// event is what the goroutine says: plain bytes, or that it needs more, or that it is done.
type event struct {
	plain []byte
	done  bool
	err   error
}

// NewDecoder undoes the codings that Parse gave. ratio bounds how many times
// larger a body may become, 0 for the default.
func NewDecoder(names []string, ratio int) *Decoder {
	if ratio <= 0 {
		ratio = DefaultRatio
	}
	return &Decoder{names: names, ratio: int64(ratio), pieces: make(chan []byte), events: make(chan event),
		resume: make(chan struct{}), quit: make(chan struct{})}
}

// Write decodes the next piece, which is not kept, and gives what comes of it to
// sink, in pieces that are borrowed until it returns. An error of sink is given back.
func (d *Decoder) Write(piece []byte, sink func(plain []byte) error) error {
	switch {
	case d.err != nil:
		return d.err
	case len(piece) == 0:
		return nil
	case d.finished:
		return d.fail(refusal.New(refusal.Undecodable, "something follows the compressed body"))
	}
	if err := d.start(); err != nil {
		return err
	}
	d.in += int64(len(piece))
	d.pieces <- piece
	return d.follow(sink)
}

// Close ends the body. One that is cut off is an error; nothing at all is not.
func (d *Decoder) Close(sink func(plain []byte) error) error {
	switch {
	case d.err != nil:
		return d.err
	case !d.started || d.finished:
		return nil
	}
	close(d.pieces)
	if err := d.follow(sink); err != nil {
		return err
	}
	if !d.finished {
		return d.fail(refusal.New(refusal.Ended, "the compressed body is cut off"))
	}
	return nil
}

// Abort frees the decoder. It may be called at any time, also twice.
func (d *Decoder) Abort() {
	if d.err == nil {
		d.err = refusal.New(refusal.State, "the body was given up")
	}
	if !d.aborted {
		d.aborted = true
		close(d.quit)
	}
}

func (d *Decoder) fail(err error) error {
	d.err = err
	d.Abort()
	return err
}

// follow takes what the goroutine says until it needs more, or is done.
func (d *Decoder) follow(sink func([]byte) error) error {
	for e := range d.events {
		switch {
		case e.err != nil:
			d.finished = true
			return d.fail(e.err)
		case e.done:
			d.finished = true
			return nil
		case e.plain == nil:
			return nil
		}
		d.out += int64(len(e.plain))
		if d.out > freeGrowth && d.out/d.ratio > d.in {
			return d.fail(refusal.New(refusal.Expands, "the compressed body becomes more than %d times as large", d.ratio))
		}
		if err := sink(e.plain); err != nil {
			return d.fail(err)
		}
		d.resume <- struct{}{}
	}
	return nil
}

func (d *Decoder) start() error {
	if d.started {
		return nil
	}
	d.started = true
	go d.run()
	if e := <-d.events; e.err != nil || e.done { // else it needs the first piece
		d.finished = true
		return d.fail(refusal.New(refusal.Coding, "the body cannot be decoded"))
	}
	return nil
}

var errQuit = errors.New("given up")

// run is the goroutine.
func (d *Decoder) run() {
	err := d.decode()
	if errors.Is(err, errQuit) {
		return
	}
	e := event{done: err == nil}
	switch {
	case err == nil:
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.err = refusal.New(refusal.Ended, "the compressed body is cut off")
	default:
		e.err = refusal.New(refusal.Undecodable, "the body is not what its content coding says")
	}
	select {
	case d.events <- e:
	case <-d.quit:
	}
}

func (d *Decoder) decode() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	src := &feed{d: d}
	r, outer, closer, err := readers(d.names, src)
	defer closer()
	if err != nil {
		return src.or(err)
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if !d.say(event{plain: buf[:n]}) || !d.wait() {
				return errQuit
			}
		}
		switch {
		case err == io.EOF:
			return src.drained(outer)
		case err != nil:
			return src.or(err)
		}
	}
}

func (d *Decoder) say(e event) bool {
	select {
	case d.events <- e:
		return true
	case <-d.quit:
		return false
	}
}

func (d *Decoder) wait() bool {
	select {
	case <-d.resume:
		return true
	case <-d.quit:
		return false
	}
}
