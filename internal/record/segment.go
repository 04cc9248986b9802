package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// segment is a segment file that its writer extends. The file is flocked for
// as long as it is open: that is how others see that the session is live.
type segment struct {
	file   *os.File
	number uint32
	size   int64 // of header and good frames
}

// write puts frames into the current segment, or begins the next one with them.
func (w *Writer) write(frames []byte, overBudget bool) error {
	n := int64(len(frames))
	if max := w.s.opt.MaxBytes; max > 0 && !overBudget && w.s.used.Load()+n > max {
		return ErrSpoolFull
	}
	if w.seg == nil || w.seg.size >= w.s.opt.SegmentSize {
		if err := w.begin(frames); err != nil {
			return fmt.Errorf("record: new segment: %w", err)
		}
		n += segHeaderLen
	} else if err := w.seg.write(frames); err != nil {
		if !w.seg.cut() {
			// Bytes that do not count may stand behind the good ones. The next
			// segment's header says where this one ends.
			w.s.used.Add(n)
			w.retire(w.seg)
			w.seg = nil
		}
		return fmt.Errorf("record: %w", err)
	}
	w.s.used.Add(n)
	if w.e.flushed.Add(uint64(len(frames))) == uint64(len(frames)) {
		w.s.notify() // the session's first bytes
	}
	return nil
}

func (g *segment) write(b []byte) error {
	n, err := g.file.WriteAt(b, g.size)
	if err != nil {
		return err
	}
	g.size += int64(n)
	return nil
}

// cut takes back what a failed write left. It reports whether that worked.
func (g *segment) cut() bool { return g.file.Truncate(g.size) == nil }

// begin makes the next segment with its first frames in it. It appears under its name
// only when it is whole and locked, so nobody ever sees half of one.
func (w *Writer) begin(frames []byte) error {
	if !w.madeDir {
		if err := os.Mkdir(w.e.dir, 0o700); err != nil {
			return err
		}
		w.madeDir = true
	}
	tmp := filepath.Join(w.e.dir, fmt.Sprintf("%08d.tmp", w.num))
	file, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	g := &segment{file: file, number: w.num}
	h := segHeader{session: w.e.id, number: w.num, seq: w.good.seq, offset: w.e.flushed.Load(), prev: w.good.hash}
	if err := errors.Join(lock(file), g.write(h.encode())); err != nil {
		return errors.Join(err, discard(file, tmp))
	}
	if err := g.write(frames); err != nil {
		return errors.Join(err, discard(file, tmp))
	}
	if err := os.Rename(tmp, segPath(w.e.dir, w.num)); err != nil {
		return errors.Join(err, discard(file, tmp))
	}
	if w.seg != nil {
		w.retire(w.seg)
	}
	w.e.mu.Lock()
	w.e.segments = append(w.e.segments, segInfo{number: w.num, start: h.offset})
	w.e.mu.Unlock()
	w.seg, w.fresh = g, true
	w.num++
	return nil
}

func discard(file *os.File, path string) error {
	return errors.Join(file.Close(), os.Remove(path))
}

// retire closes a segment that is not written any more, in ModeFsync after
// its bytes are safe.
func (w *Writer) retire(g *segment) {
	if w.mode == ModeFsync {
		w.sync.enqueue(syncRequest{w: w, file: g.file, dirs: true, last: true})
		return
	}
	if err := g.file.Close(); err != nil {
		w.s.opt.Log.Warn("record segment", "session", w.e.id, "segment", g.number, "error", err)
	}
}

// lock takes the exclusive lock on a segment, or fails at once.
func lock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	if err := conn.Control(func(fd uintptr) {
		lockErr = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
	}); err != nil {
		return err
	}
	return lockErr
}
