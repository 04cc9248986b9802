package record

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// syncRequest asks a syncer for the durability of all that was written to file.
type syncRequest struct {
	w    *Writer
	file *os.File
	dirs bool        // the folders need it, too
	last bool        // close the file afterwards
	done func(error) // may be nil
}

// syncer is one goroutine that fsyncs for many writers: it takes all that wait,
// syncs each file once, and answers everybody.
type syncer struct {
	s *Spool

	mu    sync.Mutex
	cond  sync.Cond
	queue []syncRequest
	ended bool
}

func newSyncer(s *Spool) *syncer {
	y := &syncer{s: s}
	y.cond.L = &y.mu
	return y
}

func (y *syncer) enqueue(r syncRequest) {
	y.mu.Lock()
	ended := y.ended
	if !ended {
		y.queue = append(y.queue, r)
	}
	y.mu.Unlock()
	if !ended {
		y.cond.Signal()
		return
	}
	if r.last {
		r.file.Close()
	}
	if r.done != nil {
		go r.done(ErrClosed) // never within Commit: the caller may hold a lock
	}
}

func (y *syncer) stop() {
	y.mu.Lock()
	y.ended = true
	y.mu.Unlock()
	y.cond.Signal()
}

func (y *syncer) run() {
	var batch []syncRequest
	for {
		y.mu.Lock()
		for len(y.queue) == 0 && !y.ended {
			y.cond.Wait()
		}
		if len(y.queue) == 0 {
			y.mu.Unlock()
			return
		}
		batch, y.queue = y.queue, batch[:0]
		y.mu.Unlock()
		y.commit(batch)
		clear(batch)
	}
}

// commit syncs each file of the batch once, in the order of their first requests, and
// answers a file's requests as soon as it is safe. A writer's older segment
// comes before its newer one, so its answers stay in order.
func (y *syncer) commit(batch []syncRequest) {
	spoolDir := false
	answered := make([]bool, len(batch))
	for i := range batch {
		if answered[i] {
			continue
		}
		file, w, dirs := batch[i].file, batch[i].w, false
		for j := i; j < len(batch); j++ {
			dirs = dirs || batch[j].file == file && batch[j].dirs
		}
		err := y.sync(w, file, dirs, &spoolDir)
		for j := i; j < len(batch); j++ {
			if batch[j].file != file {
				continue
			}
			answered[j] = true
			if batch[j].last {
				err = errors.Join(err, file.Close())
			}
			if batch[j].done != nil {
				batch[j].done(err)
			}
		}
	}
}

func (y *syncer) sync(w *Writer, file *os.File, dirs bool, spoolDir *bool) error {
	if p := w.broken.Load(); p != nil {
		return *p
	}
	err := datasync(file)
	if err == nil && dirs {
		err = syncDir(w.e.dir)
		if errors.Is(err, os.ErrNotExist) {
			err = nil // already shipped and freed: safe elsewhere
		}
		if err == nil && !*spoolDir {
			err = syncDir(y.s.dir)
			*spoolDir = err == nil
		}
	}
	if err != nil {
		// After a failed fsync the kernel may have dropped the pages; a second
		// fsync that succeeds would prove nothing.
		err = fmt.Errorf("record: fsync: %w", err)
		w.broken.Store(&err)
		y.s.opt.Log.Error("record cannot be made safe", "session", w.e.id, "error", err)
	}
	return err
}

func datasync(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	if err := conn.Control(func(fd uintptr) {
		for {
			if syncErr = unix.Fdatasync(int(fd)); syncErr != unix.EINTR {
				return
			}
		}
	}); err != nil {
		return err
	}
	return syncErr
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
