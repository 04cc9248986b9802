package page

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/replay"
	"dragoman.dev/dragoman/web/api"
)

// Bounds of checking records.
const (
	// checkPatience is how long a page waits for a check before it is shown without, checkWait how long what asks again waits.
	checkPatience = time.Second
	checkWait     = 20 * time.Second
	// maxCheck bounds one check, maxChecking how many run at a time, maxChecked how many outcomes are kept.
	maxCheck    = 10 * time.Minute
	maxChecking = 2
	maxChecked  = 1000
	// A check's outcome is used for as long as a hundred of them take, and for a minute at most: what costs nothing is always done anew.
	checkReuse    = 100
	maxCheckReuse = time.Minute
)

// checkView is what is known of a record's chain, before anything of the record is shown.
type checkView struct {
	Session string
	Running bool   // it is not known yet
	Broken  string // what is wrong with the record; "" is nothing
	Unread  bool   // it cannot be read, so nothing is known
	Live    bool   // the record goes on: good so far
	Frames  uint64 // that are good
	Hash    string // that the chain over them ends in
	At      time.Time
}

// outcome is a check that runs or has ended.
type outcome struct {
	done chan struct{}
	view checkView // once it is done
	took time.Duration
}

func (o *outcome) ended() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

func (o *outcome) old(now time.Time) bool {
	return o.ended() && now.Sub(o.view.At) > min(checkReuse*o.took, maxCheckReuse)
}

// checks verifies records, each once at a time. The zero value is ready.
type checks struct {
	mu      sync.Mutex
	last    map[string]*outcome // that have ended
	running map[string]*outcome
	slots   chan struct{}
}

// start gives the newest outcome, which may be nil, and the check that runs when that is too old.
func (c *checks) start(id string, now time.Time, check func() checkView) (last, running *outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last, c.running, c.slots = map[string]*outcome{}, map[string]*outcome{}, make(chan struct{}, maxChecking)
	}
	last, running = c.last[id], c.running[id]
	if running != nil || last != nil && !last.old(now) {
		return last, running
	}
	running = &outcome{done: make(chan struct{})}
	c.running[id] = running
	go c.run(id, running, check)
	return last, running
}

func (c *checks) run(id string, o *outcome, check func() checkView) {
	c.slots <- struct{}{}
	began := time.Now()
	o.view = check()
	o.view.At, o.took = time.Now(), time.Since(began)
	<-c.slots
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, id)
	if len(c.last) >= maxChecked {
		clear(c.last)
	}
	c.last[id] = o
	close(o.done)
}

// check says what is known of a session's record; for what is not known yet it waits a while.
func (s *server) check(ctx context.Context, one audit.Session, wait time.Duration) checkView {
	last, running := s.checks.start(one.ID, time.Now(), func() checkView {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxCheck)
		defer cancel()
		return s.verify(ctx, one)
	})
	if running != nil && (last == nil || last.took < checkPatience) {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-running.done:
			last = running
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if last == nil {
		return checkView{Session: one.ID, Running: true}
	}
	return last.view
}

// verify reads a record: a sealed one from its beginning to its end, a live one on from where it was verified to before.
func (s *server) verify(ctx context.Context, one audit.Session) checkView {
	v := checkView{Session: one.ID, Live: !one.Sealed}
	t := s.trails.of(one.ID)
	p, ok := t.end()
	r, err := s.readFrom(ctx, one.ID, t, p, ok && !one.Sealed, nil)
	if err != nil {
		s.Log.Error("page: a record cannot be opened", "session", one.ID, "err", err)
		return broken(v, err)
	}
	defer r.Close()
	v.Frames = r.from
	quiet := func(record.Frame, replay.Event) error { return nil }
	for err == nil {
		if err = ctx.Err(); err == nil {
			err = r.step(func(f record.Frame) error { v.Frames = f.Seq + 1; return nil }, quiet)
		}
	}
	if !errors.Is(err, io.EOF) {
		s.Log.Error("page: a record does not verify", "session", one.ID, "err", err)
		return broken(v, err)
	}
	real, is := r.src.(*record.Reader)
	if !is {
		return v
	}
	h := real.Hash()
	v.Hash = hex.EncodeToString(h[:])
	// A row without a hash was written before the record was sealed.
	if _, _, sealed := real.SealedHash(); sealed && one.Sealed && one.Hash != "" && (v.Hash != one.Hash || v.Frames != one.Frames) {
		s.Log.Error("page: a record is not the one that was sealed", "session", one.ID, "hash", v.Hash, "sealed", one.Hash)
		v.Broken = fmt.Sprintf("It is not the record that was sealed: that has %d frames and ends in %s, this one has %d and ends in %s.", one.Frames, one.Hash, v.Frames, v.Hash)
	}
	return v
}

// broken tells a record that is not what was written from one that cannot be read now.
func broken(v checkView, err error) checkView {
	if bad, is := corrupt(err); is {
		v.Frames, v.Broken = bad.Seq, brokenText(bad)
		return v
	}
	switch {
	case errors.Is(err, blob.ErrChanged):
		v.Broken = "Its body is not what was written."
	case errors.Is(err, fs.ErrNotExist):
		v.Broken = "Its body is not there."
	default:
		v.Unread = true
	}
	return v
}

// corrupt finds what is wrong with a record in an error. A store that does not answer is nothing of the record.
func corrupt(err error) (*record.CorruptError, bool) {
	var bad *record.CorruptError
	if !errors.As(err, &bad) {
		return nil, false
	}
	for _, of := range []error{record.ErrChanged, record.ErrTruncated, record.ErrTrailing, record.ErrGap, record.ErrSession, record.ErrVersion, record.ErrTooLarge} {
		if errors.Is(bad.Err, of) {
			return bad, true
		}
	}
	return nil, false
}

func brokenText(bad *record.CorruptError) string {
	at := fmt.Sprintf("at frame %d, byte %d", bad.Seq, bad.Offset)
	if bad.Where != "" {
		at += " (" + bad.Where + ")"
	}
	return fmt.Sprintf("Its chain does not hold %s: %v. What was recorded there was changed, cut off or lost.", at, bad.Err)
}

// checked is what is known of a record's chain, once it is.
func (s *server) checked(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	one, err := s.Sessions.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	s.render(w, r, http.StatusOK, "session", "checked", s.check(r.Context(), one, checkWait))
	return nil
}
