package audit

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/record"
)

const (
	// sealRetry is how long a session waits whose sealing failed.
	sealRetry = 5 * time.Second
	// sealsAtOnce bounds how many sessions go into the log together.
	sealsAtOnce = 256
	// sealersAway is how many are sealed at the same time where bodies are elsewhere, and sealing is mostly waiting.
	sealersAway = 8
)

// sealSoon has an ended session sealed. When too many wait it is found again by the next sweep.
func (s *Store) sealSoon(id string) {
	select {
	case s.sealing <- id:
	default:
	}
}

// sealer seals sessions that have ended, and logs those that have not.
func (s *Store) sealer(ctx context.Context, first []string) {
	for len(first) > 0 && ctx.Err() == nil {
		n := min(len(first), sealsAtOnce)
		s.sealAll(ctx, first[:n])
		first = first[n:]
	}
	sweep, running := time.NewTicker(sealRetry), time.NewTicker(s.opt.Running)
	defer sweep.Stop()
	defer running.Stop()
	for {
		select {
		case <-ctx.Done():
			s.logRunning() // so that what is at rest is proven to its end
			return
		case id := <-s.sealing:
			s.sealAll(ctx, s.waiting(id))
		case <-sweep.C:
			s.sealAll(ctx, s.endedSessions())
		case <-running.C:
			s.logRunning()
		}
	}
}

// waiting takes what else waits to be sealed.
func (s *Store) waiting(id string) []string {
	ids := []string{id}
	for len(ids) < sealsAtOnce {
		select {
		case id := <-s.sealing:
			ids = append(ids, id)
		default:
			return ids
		}
	}
	return ids
}

func (s *Store) endedSessions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, l := range s.live {
		if l.stream.Ended() && !l.broken && len(ids) < sealsAtOnce {
			ids = append(ids, id)
		}
	}
	return ids
}

// sealed is a session whose final file is there.
type sealed struct {
	l    *session
	key  string
	leaf Leaf
}

// sealAll makes the final files of ended sessions, logs them, and drops the live files, in
// that order: whatever is cut short is done again. Records arrive meanwhile.
func (s *Store) sealAll(ctx context.Context, ids []string) {
	all := make([]sealed, len(ids))
	var g errgroup.Group
	g.SetLimit(s.sealers)
	for i, id := range ids {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			f, ok, err := s.seal(ctx, id)
			if err != nil && ctx.Err() == nil {
				s.opt.Log.Error("record cannot be sealed", "session", id, "error", err)
			}
			if ok && err == nil {
				all[i] = f
			}
			return nil
		})
	}
	_ = g.Wait() // each has said what its error was
	var done []sealed
	var leaves []Leaf
	for _, f := range all {
		if f.l != nil {
			done, leaves = append(done, f), append(leaves, f.leaf)
		}
	}
	if len(done) == 0 {
		return
	}
	err := s.addLeaves(leaves)
	if err == nil {
		err = s.adoptSealed(done)
	}
	if err == nil {
		err = s.dropLive(done)
	}
	if err != nil {
		s.opt.Log.Error("sealed records cannot be logged", "sessions", len(done), "error", err)
	}
}

// seal makes the final file of one session.
func (s *Store) seal(ctx context.Context, id string) (f sealed, ok bool, err error) {
	s.mu.Lock()
	f.l = s.live[id]
	s.mu.Unlock()
	if f.l == nil {
		return f, false, nil // sealed already
	}
	body, err := s.blobs.Open(ctx, f.l.key)
	if err != nil {
		return f, false, err
	}
	defer body.Close()
	f.key = sealedKey(f.l.key)
	// An ended session's body does not change any more.
	foot, err := s.putSealed(ctx, f.key, id, body, int64(f.l.safe.Load()))
	if err != nil {
		return f, false, err
	}
	f.leaf = Leaf{State: LeafClosed, Session: id, Frames: foot.Frames, Bytes: foot.Bytes, Hash: foot.Hash, FileHash: foot.FileHash, Time: s.opt.Now()}
	if foot.Lost {
		f.leaf.State = LeafLost
	}
	return f, true, nil
}

// putSealed makes the final body of a live one, whose stream has this length.
func (s *Store) putSealed(ctx context.Context, key, id string, live io.ReaderAt, length int64) (foot record.Footer, err error) {
	frames := io.NewSectionReader(live, record.StreamHeaderLen, length)
	err = s.blobs.Put(ctx, key, func(w io.Writer) error {
		seal, err := s.newSealer(ctx, w, key, id)
		if err != nil {
			return err
		}
		if _, err := io.CopyBuffer(onlyWriter{seal}, onlyReader{frames}, make([]byte, max(1, min(length, 256<<10)))); err != nil {
			return err
		}
		foot, err = seal.Finish()
		return err
	})
	return foot, err
}

// newSealer encrypts when there are keys. A session that began before there were gets one now.
func (s *Store) newSealer(ctx context.Context, w io.Writer, key, id string) (*record.Sealer, error) {
	if s.arch.keys == nil {
		return record.NewSealer(w, id)
	}
	data, err := s.arch.keys.of(ctx, key, true)
	if err != nil {
		return nil, err
	}
	return record.NewEncryptingSealer(w, id, data)
}

// onlyWriter and onlyReader hide other methods from io.Copy.
type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }

// adoptSealed turns the index to the final files.
func (s *Store) adoptSealed(done []sealed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx := context.Background() // what was begun is ended
	var b index.Batch
	for _, f := range done {
		f.l.row.File, f.l.row.Sealed, f.l.row.Live = f.key, true, false
		b.Sessions = append(b.Sessions, f.l.row)
	}
	if err := s.index.Write(ctx, &b); err != nil {
		return err
	}
	s.tails.Lock()
	for _, f := range done {
		if s.live[f.l.id] == f.l {
			delete(s.live, f.l.id)
		}
	}
	s.tails.Unlock()
	return nil
}

// dropLive removes the bodies that are sealed. Nobody writes them any more, and records are taken in meanwhile.
func (s *Store) dropLive(done []sealed) error {
	errs := make([]error, len(done))
	each(len(done), func(i int) {
		l := done[i].l
		errs[i] = errors.Join(l.close(), s.blobs.Delete(context.Background(), l.key))
	})
	return errors.Join(errs...)
}
