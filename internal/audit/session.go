package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/encrypted"
	"dragoman.dev/dragoman/internal/record"
)

// session is one that has not been sealed.
type session struct {
	id     string
	key    string // of its body, which grows
	body   blob.Body
	stream *record.Stream
	row    Session
	facts  map[[2]string]bool    // by kind and value
	shape  shape                 // of the last action
	text   string                // of the last action
	texts  map[[16]byte]struct{} // distinct statements
	// created: its file was made by this process, so that all of it that is not safe can be taken back.
	created bool
	broken  bool   // memory is ahead of the files: must be loaded again
	logged  uint64 // frames that the log has

	// safe is how many stream bytes are fsynced and indexed. grown is closed and replaced when it grows.
	safe  atomic.Uint64
	mu    sync.Mutex
	grown chan struct{}
	ended bool
	dead  bool // evicted: memory was ahead of the files
}

func newSession(id, key string) *session {
	return &session{id: id, key: key, stream: record.NewStream(id), facts: map[[2]string]bool{}, texts: map[[16]byte]struct{}{},
		grown: make(chan struct{}), row: Session{ID: id, File: key, Actors: []string{}, Groups: []string{}, Live: true}}
}

func (l *session) close() error {
	if l.body == nil {
		return nil
	}
	b := l.body
	l.body = nil
	return b.Close()
}

// create makes the body with its header.
func (l *session) create(ctx context.Context, blobs blob.Store) error {
	b, err := blobs.Create(ctx, l.key)
	if err != nil {
		return err
	}
	if _, err := b.Write(record.StreamHeader(l.id)); err != nil {
		return errors.Join(err, b.Close(), blobs.Delete(ctx, l.key))
	}
	l.body = b
	return nil
}

// append opens the body, to be read and gone on with.
func (l *session) append(ctx context.Context, blobs blob.Store) (err error) {
	l.body, err = blobs.Append(ctx, l.key)
	if err != nil {
		l.body = nil
	}
	return err
}

// read takes in what the open body holds; f is called for each frame. What is behind the
// last byte that can belong to the stream is cut off: it was never acknowledged.
func (l *session) read(f func(record.Frame) error) error {
	head := make([]byte, record.StreamHeaderLen)
	n, err := l.body.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if string(head[:n]) != string(record.StreamHeader(l.id)) {
		if encrypted.Begins(head[:n]) { // and nobody who decrypts it is in between
			return fmt.Errorf("%s: %w", l.key, record.ErrEncrypted)
		}
		if n < len(head) || allZero(head) {
			return l.restart()
		}
		return fmt.Errorf("%s: %w", l.key, record.ErrChanged)
	}
	if err := l.feed(f); err != nil {
		return l.cut(err)
	}
	return nil
}

// feed gives the stream what the body has. An error in reading the body is a *readError.
func (l *session) feed(f func(record.Frame) error) error {
	r := io.NewSectionReader(l.body, record.StreamHeaderLen, l.body.Size()-record.StreamHeaderLen)
	buf := make([]byte, 256<<10)
	for {
		n, err := r.Read(buf)
		if werr := l.stream.Write(buf[:n], f); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &readError{err}
		}
	}
}

type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// restart begins the body anew: a crash left it without a header, so nothing of it was acknowledged.
func (l *session) restart() error {
	if err := l.body.Truncate(0); err != nil {
		return err
	}
	_, err := l.body.Write(record.StreamHeader(l.id))
	return err
}

// cut ends the body after its last whole good frame. A stream that had an error is not used any
// more, so that what was read is read again.
func (l *session) cut(why error) error {
	var unread *readError
	if errors.As(why, &unread) {
		return why
	}
	whole := l.stream.Whole()
	if err := l.body.Truncate(int64(record.StreamHeaderLen + whole)); err != nil {
		return errors.Join(why, err)
	}
	l.stream = record.NewStream(l.id)
	return l.feed(func(record.Frame) error { return nil })
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// write puts the next stream bytes into the body, behind what the stream has.
func (l *session) write(b []byte, f func(record.Frame) error) error {
	at := int64(record.StreamHeaderLen + l.stream.Offset())
	if err := l.stream.Write(b, f); err != nil {
		return err
	}
	if l.body.Size() != at {
		return fmt.Errorf("the body has %d bytes where it should have %d", l.body.Size(), at)
	}
	_, err := l.body.Write(b)
	return err
}

// publish says that all up to now is safe, and wakes tails.
func (l *session) publish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.safe.Store(l.stream.Offset())
	l.ended = l.stream.Ended()
	l.wake()
}

func (l *session) wake() {
	close(l.grown)
	l.grown = make(chan struct{})
}

// refresh brings the row up to the stream.
func (l *session) refresh() {
	h := l.stream.Hash()
	l.row.Frames, l.row.Stream = l.stream.Frames(), l.stream.Offset()
	l.row.Live, l.row.Hash = !l.stream.Ended(), hex.EncodeToString(h[:])
}
