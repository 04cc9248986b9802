package audit

import (
	"context"
	"encoding/hex"
	"fmt"

	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/translog"
)

// addLeaves appends to the log what is not in it yet, and remembers the places. It holds
// no lock while it waits for the log.
func (s *Store) addLeaves(leaves []Leaf) error {
	ctx := context.Background() // what was begun is ended
	var fresh []Leaf
	var entries [][]byte
	for _, l := range leaves {
		known, err := s.index.HasLeaf(ctx, l.row(0)) // from before a crash
		if err != nil {
			return err
		}
		if !known {
			fresh, entries = append(fresh, l), append(entries, l.Encode())
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	places, err := s.log.Append(ctx, entries...)
	if err != nil {
		return err
	}
	rows := make([]index.Leaf, len(fresh))
	for i, l := range fresh {
		rows[i] = l.row(places[i])
	}
	return s.index.AddLeaves(ctx, rows)
}

// row is what the index keeps of an entry.
func (l Leaf) row(n uint64) index.Leaf {
	return index.Leaf{N: n, Session: l.Session, State: string(l.State), Frames: l.Frames,
		Hash: hex.EncodeToString(l.Hash[:]), FileHash: hex.EncodeToString(l.FileHash[:])}
}

// leavesAtOnce is how many entries catchUp takes together.
const leavesAtOnce = 5000

// catchUp brings the index of leaves up to the log.
func (s *Store) catchUp(ctx context.Context) error {
	next, err := s.index.NextLeaf(ctx)
	if err != nil {
		return err
	}
	var rows []index.Leaf
	err = s.log.Entries(next, func(n uint64, entry []byte) error {
		row, err := leafRow(n, entry)
		if err != nil {
			return fmt.Errorf("log entry %d: %w", n, err)
		}
		if rows = append(rows, row); len(rows) < leavesAtOnce {
			return nil
		}
		err = s.index.AddLeaves(ctx, rows)
		rows = rows[:0]
		return err
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	return s.index.AddLeaves(ctx, rows)
}

// leafRow is what the index keeps of an entry of any kind.
func leafRow(n uint64, entry []byte) (index.Leaf, error) {
	switch {
	case translog.IsKeyChange(entry):
		return Leaf{}.row(n), nil
	case IsDeletion(entry):
		d, err := ParseDeletion(entry)
		return d.row(n), err
	}
	l, err := ParseLeaf(entry)
	return l.row(n), err
}

// logRunning logs how far each running session is, if it is further than the last time.
func (s *Store) logRunning() {
	var leaves []Leaf
	s.mu.Lock()
	now := s.opt.Now()
	for id, l := range s.live {
		if !l.broken && !l.stream.Ended() && l.stream.Frames() > l.logged {
			leaves = append(leaves, Leaf{State: LeafRunning, Session: id, Frames: l.stream.Frames(), Bytes: l.stream.Whole(), Hash: l.stream.Hash(), Time: now})
		}
	}
	s.mu.Unlock()
	if len(leaves) == 0 {
		return
	}
	if err := s.addLeaves(leaves); err != nil {
		s.opt.Log.Error("running sessions cannot be logged", "sessions", len(leaves), "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, leaf := range leaves {
		if l := s.live[leaf.Session]; l != nil {
			l.logged = leaf.Frames
		}
	}
}

// Proof proves the newest entry of a session: that it is in the log of the newest
// checkpoint. ErrNotFound when the log has none yet.
func (s *Store) Proof(ctx context.Context, session string) (translog.Inclusion, error) {
	return proof(ctx, s.index, s.log.View, session)
}

// Consistency proves that the log of the newest checkpoint begins with that of an older one of this size.
func (s *Store) Consistency(ctx context.Context, from uint64) (translog.Consistency, error) {
	return s.log.Consistency(ctx, from)
}

// Checkpoint returns the newest signed checkpoint: what an auditor keeps.
func (s *Store) Checkpoint() ([]byte, error) {
	raw, _, err := s.log.Checkpoint()
	return raw, err
}
