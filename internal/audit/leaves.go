package audit

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"dragoman.dev/dragoman/internal/translog"
)

// addLeaves appends to the log what is not in it yet, and remembers the places. It holds
// no lock while it waits for the log.
func (s *Store) addLeaves(leaves []Leaf) error {
	ctx := context.Background() // what was begun is ended
	var fresh []Leaf
	var entries [][]byte
	for _, l := range leaves {
		known, err := s.logged(ctx, l)
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
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	defer tx.Rollback()
	for i, l := range fresh {
		if err := insertLeaf(ctx, tx, places[i], l); err != nil {
			return fmt.Errorf("index: %w", err)
		}
	}
	return tx.Commit()
}

// logged: the same is in the log, from before a crash.
func (s *Store) logged(ctx context.Context, l Leaf) (bool, error) {
	var n int64
	err := s.rdb.QueryRowContext(ctx, "SELECT count(*) FROM leaves WHERE session = ? AND state = ? AND frames = ? AND hash = ? AND file_hash = ?",
		l.Session, l.State, int64(l.Frames), hex.EncodeToString(l.Hash[:]), hex.EncodeToString(l.FileHash[:])).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("index: %w", err)
	}
	return n > 0, nil
}

func insertLeaf(ctx context.Context, tx *sql.Tx, n uint64, l Leaf) error {
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO leaves (n, session, state, frames, hash, file_hash) VALUES (?, ?, ?, ?, ?, ?)",
		int64(n), l.Session, l.State, int64(l.Frames), hex.EncodeToString(l.Hash[:]), hex.EncodeToString(l.FileHash[:]))
	return err
}

// catchUp brings the index of leaves up to the log.
func (s *Store) catchUp(ctx context.Context) error {
	var count, next int64
	if err := s.db.QueryRowContext(ctx, "SELECT count(*), coalesce(max(n) + 1, 0) FROM leaves").Scan(&count, &next); err != nil {
		return err
	}
	if count != next {
		next = 0
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	err = s.log.Entries(uint64(next), func(n uint64, entry []byte) error {
		l, err := ParseLeaf(entry)
		if err != nil && !translog.IsKeyChange(entry) {
			return fmt.Errorf("log entry %d: %w", n, err)
		}
		return insertLeaf(ctx, tx, n, l)
	})
	if err != nil {
		return err
	}
	return tx.Commit()
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
	var n int64
	err := s.rdb.QueryRowContext(ctx, "SELECT n FROM leaves WHERE session = ? ORDER BY n DESC LIMIT 1", session).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return translog.Inclusion{}, fmt.Errorf("audit: %s: %w in the log", session, ErrNotFound)
	}
	if err != nil {
		return translog.Inclusion{}, fmt.Errorf("audit: %w", err)
	}
	return s.log.Inclusion(ctx, uint64(n))
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
