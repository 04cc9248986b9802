package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"dragoman.dev/dragoman/internal/record"
)

// Session is a session as the index has it.
type Session struct {
	ID         string    `json:"id"`
	File       string    `json:"file"` // relative to the store
	Node       string    `json:"node"`
	Target     string    `json:"target"`
	Protocol   string    `json:"protocol"`
	Subject    string    `json:"subject"`
	OnBehalfOf string    `json:"on_behalf_of,omitempty"`
	Actors     []string  `json:"actors"`
	Groups     []string  `json:"groups"`
	Issuer     string    `json:"issuer"`
	Method     string    `json:"method"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended,omitzero"`
	Live       bool      `json:"live"`
	// Reason and Message are how it ended; Lost that its own writer could not say.
	Reason      string `json:"reason,omitempty"`
	Message     string `json:"message,omitempty"`
	Lost        bool   `json:"lost,omitempty"`
	Client      string `json:"client"`
	Application string `json:"application,omitempty"`
	Database    string `json:"database,omitempty"`
	User        string `json:"user,omitempty"`
	Actions     int64  `json:"actions"`
	Allowed     int64  `json:"allowed"`
	Blocked     int64  `json:"blocked"`
	Held        int64  `json:"held"`
	Rows        int64  `json:"rows"`
	Bytes       int64  `json:"bytes"`
	Masked      int64  `json:"masked"`
	Frames      uint64 `json:"frames"`
	Stream      uint64 `json:"stream"` // bytes of the record
	// Undecoded counts frames whose payload could not be read for the index; they are in the record.
	Undecoded int64 `json:"undecoded,omitempty"`
	// Sealed: the file is final, and Hash is the chain hash of its last frame.
	Sealed bool   `json:"sealed"`
	Hash   string `json:"hash,omitempty"`
}

// session is one that has not been sealed.
type session struct {
	id     string
	path   string
	file   *os.File
	stream *record.Stream
	row    Session
	facts  map[string]bool
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

func newSession(id, path string) *session {
	return &session{id: id, path: path, stream: record.NewStream(id), facts: map[string]bool{}, grown: make(chan struct{}),
		row: Session{ID: id, Actors: []string{}, Groups: []string{}, Live: true}}
}

func (l *session) close() error {
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}

// create makes the file with its header.
func (l *session) create() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(record.StreamHeader(l.id)); err != nil {
		return errors.Join(err, f.Close(), os.Remove(l.path))
	}
	l.file = f
	return nil
}

// read takes in what the file holds; f is called for each frame. What is behind the
// last byte that can belong to the stream is cut off: it was never acknowledged.
func (l *session) read(f func(record.Frame) error) error {
	file, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	l.file = file
	head := make([]byte, record.StreamHeaderLen)
	if n, err := io.ReadFull(file, head); err != nil || string(head) != string(record.StreamHeader(l.id)) {
		if n == 0 || errors.Is(err, io.ErrUnexpectedEOF) || allZero(head[:n]) {
			return l.restart()
		}
		return fmt.Errorf("%s: %w", l.path, record.ErrChanged)
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := file.Read(buf)
		if werr := l.stream.Write(buf[:n], f); werr != nil {
			return l.cut(werr)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// restart begins the file anew: a crash left it without a header, so nothing of it was acknowledged.
func (l *session) restart() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt(record.StreamHeader(l.id), 0)
	return err
}

// cut ends the file after its last whole good frame. A stream that had an error is not used any
// more, so that what was read is read again.
func (l *session) cut(why error) error {
	whole := l.stream.Whole()
	if err := l.file.Truncate(int64(record.StreamHeaderLen + whole)); err != nil {
		return errors.Join(why, err)
	}
	if _, err := l.file.Seek(record.StreamHeaderLen, io.SeekStart); err != nil {
		return err
	}
	l.stream = record.NewStream(l.id)
	buf := make([]byte, 256<<10)
	for {
		n, err := l.file.Read(buf)
		if werr := l.stream.Write(buf[:n], func(record.Frame) error { return nil }); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// write puts the next stream bytes into the file, behind what the stream has.
func (l *session) write(b []byte, f func(record.Frame) error) error {
	at := int64(record.StreamHeaderLen + l.stream.Offset())
	if err := l.stream.Write(b, f); err != nil {
		return err
	}
	_, err := l.file.WriteAt(b, at)
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
