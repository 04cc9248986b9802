package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/record"
)

// sealRetry is how long a session waits whose sealing failed.
const sealRetry = 5 * time.Second

// sealSoon has an ended session sealed. When too many wait it is found again by the next sweep.
func (s *Store) sealSoon(id string) {
	select {
	case s.sealing <- id:
	default:
	}
}

// sealer seals one session after the other.
func (s *Store) sealer(ctx context.Context, first []string) {
	for _, id := range first {
		s.trySeal(ctx, id)
	}
	sweep := time.NewTicker(sealRetry)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-s.sealing:
			s.trySeal(ctx, id)
		case <-sweep.C:
			for _, id := range s.endedSessions() {
				s.trySeal(ctx, id)
			}
		}
	}
}

func (s *Store) endedSessions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, l := range s.live {
		if l.stream.Ended() && !l.broken {
			ids = append(ids, id)
		}
	}
	return ids
}

func (s *Store) trySeal(ctx context.Context, id string) {
	if ctx.Err() != nil {
		return
	}
	if err := s.seal(ctx, id); err != nil {
		s.opt.Log.Error("record cannot be sealed", "session", id, "error", err)
	}
}

// seal makes the final file of an ended session, signs its digest, and drops the live file, in
// that order: whatever is cut short is done again.
func (s *Store) seal(ctx context.Context, id string) error {
	s.mu.Lock()
	l := s.live[id]
	s.mu.Unlock()
	if l == nil {
		return nil // sealed already
	}
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	path := strings.TrimSuffix(l.path, liveExt) + record.SealedExt
	// An ended session's file does not change any more.
	foot, err := record.SealFile(path, id, io.NewSectionReader(f, record.StreamHeaderLen, int64(l.safe.Load())))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.digests.add(s.digest(id, s.relative(path), foot)); err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	l.row.File, l.row.Sealed, l.row.Live = s.relative(path), true, false
	o := ops{sessions: []*Session{&l.row}}
	if err := o.commit(context.WithoutCancel(ctx), s.db); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	s.tails.Lock()
	delete(s.live, id)
	s.tails.Unlock()
	return errors.Join(l.close(), os.Remove(l.path))
}

func (s *Store) digest(id, file string, foot record.Footer) Digest {
	return Digest{Time: s.opt.Now().UTC(), Session: id, File: file, Frames: foot.Frames, Bytes: foot.Bytes,
		Hash: hex.EncodeToString(foot.Hash[:]), FileHash: hex.EncodeToString(foot.FileHash[:]), Ended: foot.Ended, Lost: foot.Lost}
}
