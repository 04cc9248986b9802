package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// wireChunk is the largest payload into which wire data is cut.
	wireChunk = 1 << 20
	// autoFlush is how many pending bytes make Append flush by itself, so that a
	// writer's memory stays bounded.
	autoFlush = 1 << 20
	// keepBuffer is the largest buffer that goes back to the pool.
	keepBuffer = 256 << 10
)

// ErrClosed says that the writer was closed or abandoned.
var ErrClosed = errors.New("record is closed")

// buffers hold pending frames. A writer takes one at its first pending
// frame and gives it back at Flush, so an idle session keeps none.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// jsonBuffers hold JSON payloads while they are made.
var jsonBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// mark is a place in the chain.
type mark struct {
	hash [hashLen]byte
	seq  uint64 // of the next frame
	time int64  // of the last frame
}

// Writer writes one session's record. It belongs to one goroutine (or Envoy
// worker) at a time; only the done functions of Commit run elsewhere.
//
// Frames are pending from Append until Flush. When Flush fails, all pending
// frames are dropped and are no part of the chain: what they stood for must be
// refused. The writer can be tried again afterwards.
type Writer struct {
	s     *Spool
	e     *entry
	mode  Mode
	sync  *syncer
	chain *chain // after the last pending frame
	at    mark   // after the last pending frame (hash is in chain)
	good  mark   // after the last frame that was flushed
	buf   *[]byte
	seg   *segment // being written, nil before the first flush
	num   uint32   // number of the next segment
	// fresh says that a segment was made since the last commit, so that folders need an fsync.
	fresh bool
	// madeDir says that the session's folder is ours.
	madeDir bool
	closed  bool
	// broken is set by a syncer when an fsync failed: what the disk holds is
	// unknown from then on, so the writer never succeeds again.
	broken atomic.Pointer[error]
}

func newWriter(s *Spool, e *entry, mode Mode) *Writer {
	root := Root(e.id)
	w := &Writer{s: s, e: e, mode: mode, chain: newChain(root)}
	w.at.hash, w.good.hash = root, root
	if mode == ModeFsync {
		w.sync = s.syncers[int(s.next.Add(1))%len(s.syncers)]
	}
	return w
}

// Session is the session's id.
func (w *Writer) Session() string { return w.e.id }

// Frames is how many frames are written and pending: the next frame's sequence number.
func (w *Writer) Frames() uint64 { return w.at.seq }

func (w *Writer) usable() error {
	if w.closed {
		return ErrClosed
	}
	if p := w.broken.Load(); p != nil {
		return *p
	}
	return nil
}

// Append adds a frame whose payload is the parts, one after the other. The
// parts are copied. Wire data (KindRequest, KindResponse) of any length is cut into
// several frames; any other payload over MaxPayload fails with ErrTooLarge.
// It does no I/O unless 1 MiB is pending, and then fails as Flush does.
func (w *Writer) Append(kind Kind, action uint64, payload ...[]byte) error {
	if err := w.usable(); err != nil {
		return err
	}
	total := 0
	for _, p := range payload {
		total += len(p)
	}
	wire := kind == KindRequest || kind == KindResponse
	if total > MaxPayload && !wire {
		return fmt.Errorf("record: payload of %d bytes: %w", total, ErrTooLarge)
	}
	if !wire || total <= wireChunk {
		return w.append(kind, 0, action, total, payload)
	}
	return w.split(kind, action, payload)
}

// split cuts wire data into frames of at most wireChunk.
func (w *Writer) split(kind Kind, action uint64, payload [][]byte) error {
	for _, p := range payload {
		for len(p) > 0 {
			n := min(len(p), wireChunk)
			part := [1][]byte{p[:n]}
			if err := w.append(kind, 0, action, n, part[:]); err != nil {
				return err
			}
			p = p[n:]
		}
	}
	return nil
}

func (w *Writer) append(kind Kind, flags uint8, action uint64, total int, payload [][]byte) error {
	if w.buf == nil {
		w.buf = buffers.Get().(*[]byte)
	}
	b := *w.buf
	start := len(b)
	b = slices.Grow(b, frameOverhead+total)
	b = b[:start+frameHeaderLen]
	// A frame is never earlier than the one before, whatever the clock does.
	w.at.time = max(w.at.time, w.s.opt.Now().UnixNano())
	header{length: total, kind: kind, flags: flags, seq: w.at.seq, time: w.at.time, action: action}.put(b[start:])
	for _, p := range payload {
		b = append(b, p...)
	}
	b = append(b, w.chain.next(b[start:])...)
	w.at.seq++
	*w.buf = b
	if len(b) >= autoFlush {
		return w.Flush()
	}
	return nil
}

// AppendJSON adds a frame whose payload is v as JSON.
func (w *Writer) AppendJSON(kind Kind, action uint64, v any) error {
	buf := jsonBuffers.Get().(*bytes.Buffer)
	defer jsonBuffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("record: payload: %w", err)
	}
	return w.Append(kind, action, bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

// Flush hands all pending frames to the kernel, with one write. After nil they
// survive the death of this process. After an error they are dropped.
func (w *Writer) Flush() error { return w.flush(false) }

func (w *Writer) flush(overBudget bool) error {
	if w.buf == nil || len(*w.buf) == 0 {
		return w.usable()
	}
	err := w.usable()
	if err == nil {
		err = w.write(*w.buf, overBudget)
	}
	if err != nil {
		// The chain goes on from the last frame that was flushed.
		w.at = w.good
		w.chain.set(w.good.hash)
	} else {
		w.good = w.at
		w.good.hash = w.chain.prev()
	}
	w.release()
	return err
}

// release gives the buffer back.
func (w *Writer) release() {
	if w.buf == nil {
		return
	}
	if cap(*w.buf) <= keepBuffer {
		*w.buf = (*w.buf)[:0]
		buffers.Put(w.buf)
	}
	w.buf = nil
}

// Commit flushes, and calls done once the frames are as safe as the writer's mode
// says: in ModeWrite before it returns, in ModeFsync later and from another
// goroutine (at once when the flush fails). The calls for one writer come in order.
func (w *Writer) Commit(done func(error)) {
	err := w.Flush()
	if err != nil || w.mode == ModeWrite {
		done(err)
		return
	}
	if w.seg == nil { // nothing was ever written
		done(nil)
		return
	}
	w.sync.enqueue(syncRequest{w: w, file: w.seg.file, dirs: w.fresh, done: done})
	w.fresh = false
}

// Close ends the record in order. It releases everything, whether or not the
// frame could be written: without it, the record is later closed as lost.
func (w *Writer) Close(c Close) error {
	if w.closed {
		return ErrClosed
	}
	err := w.Flush()
	if err == nil {
		err = w.AppendJSON(KindClose, 0, c)
	}
	if err == nil {
		err = w.flush(true)
	}
	w.finish(err == nil)
	return err
}

// Abandon releases the writer without a Close frame; pending frames are dropped.
func (w *Writer) Abandon() {
	if !w.closed {
		w.finish(false)
	}
}

func (w *Writer) finish(complete bool) {
	w.closed = true
	w.release()
	if w.seg != nil {
		w.retire(w.seg)
		w.seg = nil
	}
	w.e.live.Store(false)
	if !complete {
		// What is on disk is found by Recover.
		w.s.forget(w.e.id)
	}
	if w.num == 0 && w.madeDir {
		_ = os.Remove(w.e.dir) // empty; nothing depends on it
	}
	w.s.notify()
}
