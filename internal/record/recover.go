package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Recovered is one session that a dead process left behind.
type Recovered struct {
	Session string
	Frames  uint64 // in its record now, with those already freed
	// Cut is how many bytes of torn or unverifiable frames were dropped.
	Cut int64
	// Lost says that recovery wrote the Close frame, because there was none.
	Lost bool
}

// emptyAge is how old a session folder without a segment must be to be removed.
const emptyAge = time.Minute

// Recover finds the sessions whose writers are dead, cuts each after its last whole
// frame, and closes those that did not end in order with reason "lost". From then on
// they are shipped like any other. Sessions of live processes are left alone
// (their segments are locked). It can be called again at any time.
func (s *Spool) Recover() ([]Recovered, error) {
	dirs, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("record spool: %w", err)
	}
	var all []Recovered
	var errs []error
	for _, d := range dirs {
		id := d.Name()
		if !d.IsDir() || !ValidSession(id) || s.known(id) {
			continue
		}
		r, err := s.recover(id)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("record spool: session %s: %w", id, err))
		case r != nil:
			s.opt.Log.Info("record recovered", "session", id, "frames", r.Frames, "cut", r.Cut, "lost", r.Lost)
			all = append(all, *r)
		}
	}
	if len(all) > 0 {
		s.notify()
	}
	return all, errors.Join(errs...)
}

func (s *Spool) known(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.sessions[id]
	return ok
}

// recover returns nil when the session is live or has nothing.
func (s *Spool) recover(id string) (*Recovered, error) {
	dir := filepath.Join(s.dir, id)
	last, nums, err := lockLast(dir)
	if err != nil || last == nil {
		if err == nil {
			removeStale(dir, s.opt.Now())
		}
		return nil, err
	}
	defer last.Close()
	scan, err := scanSegments(dir, id, nums)
	if err != nil {
		return nil, err
	}
	r := &Recovered{Session: id, Cut: scan.cut}
	if len(scan.segments) == 0 {
		return nil, fmt.Errorf("no segment can be read: %w", scan.problem)
	}
	if err := s.settle(dir, nums, scan, r); err != nil {
		return nil, err
	}
	e := &entry{id: id, dir: dir, segments: scan.segments}
	e.flushed.Store(scan.fr.pos.offset)
	s.mu.Lock()
	s.sessions[id] = e
	s.mu.Unlock()
	return r, nil
}

// settle makes the files end where the scan says, with a Close frame.
func (s *Spool) settle(dir string, nums []uint32, scan *segScan, r *Recovered) error {
	end := scan.segments[len(scan.segments)-1]
	for _, n := range nums {
		if n > end.number {
			if err := os.Rename(segPath(dir, n), segPath(dir, n)+".bad"); err != nil {
				return err
			}
		}
	}
	pos := scan.fr.pos
	f, err := os.OpenFile(segPath(dir, end.number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size := int64(segHeaderLen + pos.offset - end.start)
	if info, err := f.Stat(); err == nil {
		s.used.Add(size - info.Size())
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	if pos.kind != KindClose {
		frame, err := closingFrame(scan.fr.chain, pos, s.opt.Now().UnixNano(), Close{
			Reason: "lost", Message: "the gateway died; closed by recovery",
			Actions: scan.actions, Bytes: scan.bytes, Duration: time.Duration(pos.time - scan.started)})
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(frame, size); err != nil {
			return err
		}
		s.used.Add(int64(len(frame)))
		pos.offset += uint64(len(frame))
		pos.seq++
		r.Lost = true
	}
	scan.fr.pos = pos
	r.Frames = pos.seq
	return errors.Join(f.Sync(), syncDir(dir))
}

// closingFrame encodes a Close frame made by recovery and moves the chain over it.
func closingFrame(c *chain, pos position, now int64, end Close) ([]byte, error) {
	payload, err := json.Marshal(end)
	if err != nil {
		return nil, err
	}
	b := make([]byte, frameHeaderLen, frameOverhead+len(payload))
	header{length: len(payload), kind: KindClose, flags: flagRecovered, seq: pos.seq, time: max(now, pos.time)}.put(b)
	b = append(b, payload...)
	return append(b, c.next(b)...), nil
}

// lockLast locks the newest segment, which is what a live writer holds. It returns nil when
// there is none or when somebody holds it.
func lockLast(dir string) (*os.File, []uint32, error) {
	for {
		nums, err := segmentNumbers(dir)
		if err != nil || len(nums) == 0 {
			return nil, nil, err
		}
		f, err := os.Open(segPath(dir, nums[len(nums)-1]))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if lock(f) != nil {
			return nil, nil, f.Close()
		}
		again, err := segmentNumbers(dir)
		if err == nil && slices.Equal(nums, again) {
			return f, nums, nil
		}
		// The writer went on to another segment in between.
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, nil, err
		}
	}
}

// segmentNumbers lists the segments in a session's folder, sorted.
func segmentNumbers(dir string) ([]uint32, error) {
	names, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var nums []uint32
	for _, d := range names {
		if base, ok := strings.CutSuffix(d.Name(), ".seg"); ok && len(base) == 8 {
			if n, err := strconv.ParseUint(base, 10, 32); err == nil {
				nums = append(nums, uint32(n))
			}
		}
	}
	slices.Sort(nums)
	return nums, nil
}

// removeStale removes a folder in which a process died before its first segment was there.
func removeStale(dir string, now time.Time) {
	info, err := os.Stat(dir)
	if nums, lerr := segmentNumbers(dir); err != nil || lerr != nil || len(nums) > 0 || now.Sub(info.ModTime()) < emptyAge {
		return
	}
	_ = os.RemoveAll(dir)
}

// segScan is what reading a dead session's segments found.
type segScan struct {
	fr       *frameReader
	segments []segInfo // good ones; the last may be cut
	cut      int64
	problem  error
	started  int64 // time of the first frame that is kept
	actions  uint64
	bytes    int64 // of responses
}

// scanSegments reads the segments as far as they verify.
func scanSegments(dir, id string, nums []uint32) (*segScan, error) {
	scan := &segScan{}
	for i, n := range nums {
		err := scan.segment(dir, id, nums[i:])
		var corrupt *CorruptError
		switch {
		case err == nil:
			continue
		case !errors.As(err, &corrupt):
			return nil, err
		}
		scan.problem = err
		for _, n := range nums[i:] {
			if info, err := os.Stat(segPath(dir, n)); err == nil {
				scan.cut += info.Size()
			}
		}
		if k := len(scan.segments); k > 0 && scan.segments[k-1].number == n {
			scan.cut -= int64(segHeaderLen + scan.fr.pos.offset - scan.segments[k-1].start)
		}
		break
	}
	return scan, nil
}

// segment reads the first of the segments.
func (c *segScan) segment(dir, id string, nums []uint32) error {
	f, h, err := openSegment(dir, nums)
	if err == nil && h.session != id {
		err = errors.Join(f.Close(), &CorruptError{Where: segName(nums[0]), Err: ErrSession})
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if c.fr == nil {
		c.fr = &frameReader{chain: newChain(h.prev), pos: position{seq: h.seq, offset: h.offset}}
	} else if !c.fr.fits(h) {
		return &CorruptError{Seq: c.fr.pos.seq, Offset: c.fr.pos.offset, Where: segName(nums[0]), Err: ErrGap}
	}
	c.segments = append(c.segments, segInfo{number: nums[0], start: h.offset})
	c.fr.r = f
	for {
		fh, raw, err := c.fr.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		c.count(fh, raw)
	}
}

func (c *segScan) count(h header, raw []byte) {
	if c.started == 0 {
		c.started = h.time
	}
	c.actions = max(c.actions, h.action)
	if h.kind == KindResponse {
		c.bytes += int64(len(payloadOf(raw)))
	}
}
