package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/audit/index"
)

// deletionMagic begins an entry of the log that says that a record was deleted: this, the session, the
// number of frames, the length of their stream, the chain hash of the last, the sealed file's hash, the reason, and
// the time in nanoseconds. All but the last two are as in the session's last final entry.
const deletionMagic = "dragoman record deletion v1"

// stateDeleted is the state of a deletion in the index of leaves.
const stateDeleted = "deleted"

// DeletionReason says why a record was deleted.
type DeletionReason string

const (
	Retention DeletionReason = "retention" // its time was over
	Requested DeletionReason = "request"   // an administrator asked for it
)

// Deletion is an entry of the transparency log: a record was deleted in order, and its data key destroyed.
type Deletion struct {
	Session  string
	Frames   uint64
	Bytes    uint64
	Hash     [32]byte
	FileHash [32]byte
	Reason   DeletionReason
	Time     time.Time
}

// Encode gives the one encoding.
func (d Deletion) Encode() []byte {
	return fmt.Appendf(nil, "%s\n%s\n%d\n%d\n%s\n%s\n%s\n%d\n", deletionMagic, d.Session, d.Frames, d.Bytes,
		hex.EncodeToString(d.Hash[:]), hex.EncodeToString(d.FileHash[:]), d.Reason, d.Time.UnixNano())
}

// IsDeletion reports whether an entry says that it is a deletion.
func IsDeletion(entry []byte) bool { return strings.HasPrefix(string(entry), deletionMagic+"\n") }

// ParseDeletion reads an entry. It accepts the one encoding only.
func ParseDeletion(b []byte) (Deletion, error) {
	lines, err := entryLines(b)
	if err != nil {
		return Deletion{}, err
	}
	about, err := parseAbout(lines[1:6], true)
	d := Deletion{Session: about.session, Frames: about.frames, Bytes: about.bytes, Hash: about.hash, FileHash: about.fileHash, Reason: DeletionReason(lines[6])}
	if err == nil {
		d.Time, err = parseNano(lines[7])
	}
	if err != nil || d.Reason != Retention && d.Reason != Requested || string(d.Encode()) != string(b) {
		return d, errLeaf
	}
	return d, nil
}

func (d Deletion) row(n uint64) index.Leaf {
	return index.Leaf{N: n, Session: d.Session, State: stateDeleted, Frames: d.Frames,
		Hash: hex.EncodeToString(d.Hash[:]), FileHash: hex.EncodeToString(d.FileHash[:])}
}

// of says that a deletion is of the record that a final entry is about.
func (d Deletion) of(l *Leaf) bool {
	return l != nil && d.Frames == l.Frames && d.Bytes == l.Bytes && d.Hash == l.Hash && d.FileHash == l.FileHash
}

// ErrLive says that a session has not ended, or is not sealed yet.
var ErrLive = errors.New("the session has not ended, or its record is not in the log yet")

// deletionsAtOnce bounds how many deletions go into the log together.
const deletionsAtOnce = 256

// Delete deletes the records of sealed sessions for good: the log gets entries that say so, the data keys
// are destroyed, and the bodies and what the index has of them go. What the log has of the sessions stays, and so does
// the proof that a record was there. The error joins what is wrong with single sessions, ErrNotFound and
// ErrLive among it; what a failure cut short is taken up when the same is deleted again.
func (s *Store) Delete(ctx context.Context, why DeletionReason, ids ...string) error {
	var errs []error
	for len(ids) > 0 {
		n := min(len(ids), deletionsAtOnce)
		errs = append(errs, s.deleteSome(ctx, why, ids[:n]))
		ids = ids[n:]
	}
	return errors.Join(errs...)
}

func (s *Store) deleteSome(ctx context.Context, why DeletionReason, ids []string) error {
	var errs []error
	var entries [][]byte
	var fresh []Deletion
	keys := map[string]string{}
	for _, id := range ids {
		key, d, err := s.deletable(ctx, id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		keys[id] = key
		if d != nil {
			d.Reason, d.Time = why, s.opt.Now()
			fresh, entries = append(fresh, *d), append(entries, d.Encode())
		}
	}
	if len(entries) > 0 {
		places, err := s.log.Append(ctx, entries...)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("audit: %w", err))...)
		}
		rows := make([]index.Leaf, len(fresh))
		for i, d := range fresh {
			rows[i] = d.row(places[i])
		}
		if err := s.index.AddLeaves(ctx, rows); err != nil {
			return errors.Join(append(errs, fmt.Errorf("audit: %w", err))...)
		}
	}
	for id, key := range keys {
		errs = append(errs, s.finishDeletion(ctx, id, key))
	}
	return errors.Join(errs...)
}

// deletable gives the key of a session's body, and the deletion that the log is to have; nil when it has it.
func (s *Store) deletable(ctx context.Context, id string) (key string, d *Deletion, err error) {
	row, err := s.Get(ctx, id)
	if err != nil {
		return "", nil, err
	}
	if !row.Sealed || s.liveSession(id) != nil {
		return "", nil, fmt.Errorf("audit: session %s: %w", id, ErrLive)
	}
	l, done, err := s.lastEntry(ctx, id)
	if err == nil && done == nil && !l.Final() {
		err = ErrLive
	}
	if err != nil {
		return "", nil, fmt.Errorf("audit: session %s: %w", id, err)
	}
	if done == nil {
		d = &Deletion{Session: id, Frames: l.Frames, Bytes: l.Bytes, Hash: l.Hash, FileHash: l.FileHash}
	}
	return row.File, d, nil
}

// finishDeletion does what the log says. The index goes last, so that what is cut short is found again.
func (s *Store) finishDeletion(ctx context.Context, id, key string) error {
	err := s.arch.destroyKey(ctx, key)
	if err == nil {
		err = s.blobs.Delete(ctx, key)
	}
	if err == nil {
		err = s.index.Delete(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("audit: session %s: %w", id, err)
	}
	return nil
}

// lastEntry gives the last entry that the log has of a session: a deletion, or else one about its record.
func (s *Store) lastEntry(ctx context.Context, id string) (l Leaf, d *Deletion, err error) {
	p, err := s.Proof(ctx, id)
	if err != nil {
		return l, nil, err
	}
	if IsDeletion(p.Entry) {
		d, err := ParseDeletion(p.Entry)
		return l, &d, err
	}
	l, err = ParseLeaf(p.Entry)
	return l, nil, err
}

// Retain says how long the records of a target are kept.
type Retain struct {
	Target string
	For    time.Duration // from a session's end; 0: for ever
	Hold   bool          // legal hold: nothing is deleted, whatever For is
}

// Expire deletes the records of a target whose time is over, newest first, and says how many. What cannot be deleted
// is in the error and does not keep others from it.
func (s *Store) Expire(ctx context.Context, r Retain) (int, error) {
	if r.For <= 0 || r.Hold {
		return 0, nil
	}
	no, before := false, s.opt.Now().Add(-r.For)
	deleted := 0
	var errs []error
	q := index.Query{Target: r.Target, Until: before, Live: &no, Limit: index.MaxLimit}
	for {
		p, err := s.List(ctx, q)
		if err != nil {
			return deleted, errors.Join(append(errs, err)...)
		}
		var ids []string
		for _, row := range p.Sessions {
			if row.Sealed && row.Ended.Before(before) {
				ids = append(ids, row.ID)
			}
		}
		err = s.Delete(ctx, Retention, ids...)
		if deleted += len(ids); err != nil {
			errs = append(errs, err)
		}
		if q.Cursor = p.Next; q.Cursor == "" || ctx.Err() != nil {
			return deleted, errors.Join(errs...)
		}
	}
}
