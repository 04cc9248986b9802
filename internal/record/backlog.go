package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// Backlog is what the spool keeps of one session: its stream of frames from Start to End.
// Stream offsets count frame bytes only, without segment headers.
type Backlog struct {
	Session string
	Start   uint64
	End     uint64
	// Live says that its writer is open: End will grow.
	Live bool
}

// Wake is signalled when a session's first bytes are there, when one ends and when some are
// recovered. New bytes of a live session are not signalled: ask for the Backlog now and then.
func (s *Spool) Wake() <-chan struct{} { return s.wake }

// Backlogs appends what is kept of all sessions to dst.
func (s *Spool) Backlogs(dst []Backlog) []Backlog {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.sessions {
		// live is read first: once it is false, flushed is final.
		b := Backlog{Session: e.id, Live: e.live.Load(), End: e.flushed.Load()}
		if b.End == 0 && b.Live {
			continue
		}
		e.mu.Lock()
		if len(e.segments) > 0 {
			b.Start = e.segments[0].start
		}
		e.mu.Unlock()
		dst = append(dst, b)
	}
	return dst
}

func (s *Spool) entry(session string) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.sessions[session]
	if e == nil {
		return nil, fmt.Errorf("record spool: session %s: %w", session, os.ErrNotExist)
	}
	return e, nil
}

// ReadAt reads a session's stream. It returns 0, nil at the end of what is there now, and
// may return less than fits.
func (s *Spool) ReadAt(session string, b []byte, offset uint64) (int, error) {
	e, err := s.entry(session)
	if err != nil {
		return 0, err
	}
	seg, end, err := e.find(offset)
	if err != nil || offset >= end {
		return 0, err
	}
	e.readMu.Lock()
	defer e.readMu.Unlock()
	if err := e.read(seg.number); err != nil {
		return 0, err
	}
	b = b[:min(uint64(len(b)), end-offset)]
	n, err := e.reading.ReadAt(b, int64(segHeaderLen+offset-seg.start))
	if err == io.EOF && n > 0 {
		err = nil
	}
	if offset+uint64(n) == end {
		e.stopReading() // idle sessions keep no second file open
	}
	return n, err
}

// find returns the segment that holds a stream offset, and where its frames end now.
func (e *entry) find(offset uint64) (segInfo, uint64, error) {
	end := e.flushed.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	i := sort.Search(len(e.segments), func(i int) bool { return e.segments[i].start > offset }) - 1
	if i < 0 {
		return segInfo{}, 0, fmt.Errorf("record spool: session %s: byte %d is not there: %w", e.id, offset, os.ErrNotExist)
	}
	if i+1 < len(e.segments) {
		end = min(end, e.segments[i+1].start)
	}
	return e.segments[i], end, nil
}

func (e *entry) read(number uint32) error {
	if e.reading != nil && e.readNum == number {
		return nil
	}
	e.stopReading()
	f, err := os.Open(segPath(e.dir, number))
	if err != nil {
		return err
	}
	e.reading, e.readNum = f, number
	return nil
}

func (e *entry) close() {
	e.readMu.Lock()
	defer e.readMu.Unlock()
	e.stopReading()
}

func (e *entry) stopReading() {
	if e.reading != nil {
		e.reading.Close()
		e.reading = nil
	}
}

// Release says that the first acked bytes of a session's stream are safe elsewhere: segments
// that lie in them are deleted, and all of a session that has ended and is safe whole.
func (s *Spool) Release(session string, acked uint64) error {
	e, err := s.entry(session)
	if err != nil {
		return err
	}
	// live is read first: once it is false, flushed is final.
	live, end := e.live.Load(), e.flushed.Load()
	whole := !live && acked >= end
	err = s.free(e, acked, whole)
	if whole {
		s.forget(session)
	}
	return err
}

func (s *Spool) free(e *entry, acked uint64, whole bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.segments) > 1 && e.segments[1].start <= acked || len(e.segments) == 1 && whole {
		if err := s.drop(e); err != nil {
			return err
		}
	}
	if whole {
		e.close()
		return s.removeDir(e.dir)
	}
	return nil
}

// drop deletes the first segment.
func (s *Spool) drop(e *entry) error {
	path := segPath(e.dir, e.segments[0].number)
	info, err := os.Stat(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err == nil {
		s.used.Add(-info.Size())
	}
	e.segments = e.segments[1:]
	return nil
}

func (s *Spool) removeDir(dir string) error {
	if rest, err := diskUse(dir); err == nil {
		s.used.Add(-rest)
	}
	return os.RemoveAll(dir)
}

// divergedDir keeps sessions that the control plane has otherwise; no session id has a dot.
const divergedDir = ".diverged"

// SetAside moves an ended session out of the way, for people to look at: the control plane
// has other bytes of it.
func (s *Spool) SetAside(session string) error {
	e, err := s.entry(session)
	if err != nil {
		return err
	}
	if e.live.Load() {
		return fmt.Errorf("record spool: session %s is live", session)
	}
	e.close()
	aside := filepath.Join(s.dir, divergedDir)
	if err := os.MkdirAll(aside, 0o700); err != nil {
		return err
	}
	to := filepath.Join(aside, fmt.Sprintf("%s.%d", session, s.opt.Now().UnixNano()/int64(time.Millisecond)))
	if err := os.Rename(e.dir, to); err != nil {
		return err
	}
	s.forget(session)
	return nil
}
