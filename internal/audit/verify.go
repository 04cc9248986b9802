package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/translog"
)

// VerifyOptions say what the files are verified against.
type VerifyOptions struct {
	// Key is a public key that signs the log, or did once. Required.
	Key ed25519.PublicKey
	// Checkpoint is one that was kept elsewhere: the log must be its continuation. Optional.
	Checkpoint []byte
	// Witnesses are verifier keys that must have cosigned the checkpoint.
	Witnesses []string
	// Keys open encrypted bodies. Without them a sealed file is checked as a whole, by the hash that the log
	// has, and its frames are not looked at. Optional.
	Keys Keyring
	// Bodies are where the records are; nil: files beside the log.
	Bodies blob.Store
}

// Result is what Verify found about one record.
type Result struct {
	File   string        `json:"file"`
	Report record.Report `json:"report"`
	Live   bool          `json:"live,omitempty"` // not ended, or not in the log yet
	// Proven is how many frames the log proves.
	Proven uint64 `json:"proven"`
	// Deleted: the record is not there any more, and the log says that this is right.
	Deleted bool `json:"deleted,omitempty"`
	// Problem is "" or what is wrong beyond the report: it is not what the log says.
	Problem string `json:"problem,omitempty"`
}

// OK reports whether the record is whole and the one that the log has.
func (r *Result) OK() bool { return r.Problem == "" && r.Report.OK() }

// Summary of a verification.
type Summary struct {
	Records int `json:"records"`
	Live    int `json:"live"`
	Bad     int `json:"bad"`
	Deleted int `json:"deleted"` // in order; none of the others
	// Unread are those whose frames were not looked at, being encrypted.
	Unread int `json:"unread"`
	// The log: its name, number of entries and root.
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	Root   string `json:"root"`
	// Checkpoint is the signed one: keep it, and give it to the next verification.
	Checkpoint string             `json:"checkpoint"`
	Cosigned   []string           `json:"cosigned,omitempty"`
	Log        []translog.Problem `json:"log"` // what is wrong with the log
}

// OK reports whether nothing is wrong.
func (s *Summary) OK() bool { return s.Bad == 0 && len(s.Log) == 0 }

// proven is what the log says of one session.
type proven struct {
	final   *Leaf
	running []Leaf
	deleted *Deletion
}

type verification struct {
	dir    string
	arch   *Archive
	opt    VerifyOptions
	each   func(Result)
	sum    Summary
	leaves map[string]*proven
	seen   map[string]map[string]record.Report // by session and file
	late   []Result                            // sealed files that the log did not have when it was read
	dates  map[string]string                   // the folder of each session
}

// Verify checks the log and all records under dir with nothing but the files and the
// public key. each is called for every record. The store may be in use meanwhile.
func Verify(ctx context.Context, dir string, opt VerifyOptions, each func(Result)) (Summary, error) {
	if len(opt.Key) != ed25519.PublicKeySize {
		return Summary{}, errors.New("audit: not an Ed25519 public key")
	}
	v := &verification{dir: dir, arch: NewArchive(opt.bodies(dir), opt.Keys), opt: opt, each: each, leaves: map[string]*proven{}, seen: map[string]map[string]record.Report{}, dates: map[string]string{}}
	v.sum.Log = []translog.Problem{}
	log, err := v.readLog(opt.Checkpoint)
	if err != nil {
		return v.sum, fmt.Errorf("audit: %w", err)
	}
	v.sum.Origin, v.sum.Size, v.sum.Root, v.sum.Checkpoint = log.Origin, log.Size, hex.EncodeToString(log.Root[:]), string(log.Raw)
	v.sum.Cosigned = log.Cosigned
	err = v.records(ctx, func(path, id, ext string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := v.file(ctx, path, id, ext)
		if errors.Is(err, os.ErrNotExist) && ext == liveExt { // sealed meanwhile
			err = v.file(ctx, strings.TrimSuffix(path, ext)+record.SealedExt, id, record.SealedExt)
		}
		return err
	})
	if err == nil {
		err = v.finish(ctx, log)
	}
	if err != nil {
		return v.sum, fmt.Errorf("audit: %w", err)
	}
	return v.sum, nil
}

// readLog reads the log, which must continue that of an older checkpoint, into leaves.
func (v *verification) readLog(old []byte) (*translog.Content, error) {
	var odd []translog.Problem
	log, err := translog.Read(filepath.Join(v.dir, logDir), v.opt.Key, v.opt.Witnesses, func(n uint64, entry []byte) error {
		if translog.IsKeyChange(entry) {
			return nil // Read looks at it
		}
		if err := v.entry(entry); err != nil {
			odd = append(odd, translog.Problem{Kind: "entry", Detail: fmt.Sprintf("entry %d: %v", n, err)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if old != nil {
		log.Consistent(old)
	}
	v.sum.Log = append(append(v.sum.Log, log.Problems...), odd...)
	return log, nil
}

func (v *verification) entry(entry []byte) error {
	if IsDeletion(entry) {
		d, err := ParseDeletion(entry)
		if err != nil {
			return err
		}
		if p := v.of(d.Session); p.deleted == nil && d.of(p.final) {
			p.deleted = &d
			return nil
		}
		return fmt.Errorf("session %s: a record was deleted that it did not have", d.Session)
	}
	l, err := ParseLeaf(entry)
	if err != nil {
		return err
	}
	return v.leaf(l)
}

func (v *verification) of(session string) *proven {
	p := v.leaves[session]
	if p == nil {
		p = &proven{}
		v.leaves[session] = p
	}
	return p
}

func (v *verification) leaf(l Leaf) error {
	p := v.of(l.Session)
	if p.deleted != nil {
		return fmt.Errorf("session %s goes on after its record was deleted", l.Session)
	}
	if !l.Final() {
		p.running = append(p.running, l)
		return nil
	}
	if f := p.final; f != nil && (f.Frames != l.Frames || f.Hash != l.Hash) {
		return fmt.Errorf("session %s has two ends", l.Session)
	}
	p.final = &l // sealed again after a crash: the same record, maybe another file
	return nil
}

func (v *verification) report(r Result) {
	if r.Deleted {
		v.sum.Deleted++
		return
	}
	v.sum.Records++
	if r.Report.Encrypted {
		v.sum.Unread++
	}
	if r.Live {
		v.sum.Live++
	}
	if !r.OK() {
		v.sum.Bad++
	}
	v.each(r)
}

func (v *verification) file(ctx context.Context, path, id, ext string) error {
	if _, ok := v.seen[id][path]; ok {
		return nil
	}
	rel, err := filepath.Rel(v.dir, path)
	if err != nil {
		return err
	}
	rep, err := v.verify(ctx, path, filepath.ToSlash(rel), id, ext)
	if err != nil {
		return err
	}
	r := Result{File: rel, Report: rep, Live: ext == liveExt}
	if v.seen[id] == nil {
		v.seen[id] = map[string]record.Report{}
		v.dates[id] = filepath.Dir(path)
	}
	v.seen[id][path] = rep
	p := v.leaves[id]
	switch {
	case v.dates[id] != filepath.Dir(path):
		r.Problem = "twice: another file has this session's record"
	case rep.Session != id && rep.Session != "":
		r.Problem = fmt.Sprintf("wrong session: it has the record of %q", rep.Session)
	case ext == liveExt:
		err = v.live(ctx, &r, p)
	case p == nil || p.final == nil:
		v.late = append(v.late, r)
		return nil
	default:
		err = v.sealed(ctx, &r, p)
	}
	if err != nil {
		return err
	}
	if _, leftover := v.seen[id][strings.TrimSuffix(path, ext)+record.SealedExt]; ext == liveExt && leftover && r.OK() {
		return nil // sealed already, and about to go
	}
	v.report(r)
	return nil
}

// finish looks at what the log did not have yet, and at what it has and the files have not.
func (v *verification) finish(ctx context.Context, first *translog.Content) error {
	if len(v.late) > 0 {
		before := v.leaves
		v.leaves = map[string]*proven{}
		problems := v.sum.Log
		if _, err := v.readLog(first.Raw); err != nil {
			return err
		}
		if len(problems) > 0 {
			v.sum.Log = problems // the same again
		}
		if err := v.latecomers(ctx); err != nil {
			return err
		}
		v.leaves = before
	}
	var missing []string
	for id, p := range v.leaves {
		switch {
		case v.has(id, p):
		case p.deleted != nil:
			v.report(Result{File: id, Report: record.Report{Session: id}, Deleted: true})
		default:
			missing = append(missing, id)
		}
	}
	sort.Strings(missing)
	for _, id := range missing {
		v.report(Result{File: id, Report: record.Report{Session: id}, Problem: "missing: the log has it, the files have not"})
	}
	return nil
}

func (v *verification) latecomers(ctx context.Context) error {
	for _, r := range v.late {
		path := filepath.Join(v.dir, r.File)
		id := strings.TrimSuffix(filepath.Base(path), record.SealedExt)
		p := v.leaves[id]
		live, both := v.seen[id][strings.TrimSuffix(path, record.SealedExt)+liveExt]
		switch {
		case p != nil && p.final != nil:
			if err := v.sealed(ctx, &r, p); err != nil {
				return err
			}
		case both && (live.Encrypted || live.Hash == r.Report.Hash):
			r.Live = true // it was being sealed
		default:
			r.Problem = "added: the log does not have it"
		}
		v.report(r)
	}
	return nil
}

// has reports whether the files have what the log has: a sealed file, if it ended.
func (v *verification) has(id string, p *proven) bool {
	for path := range v.seen[id] {
		if p.final == nil || filepath.Ext(path) == record.SealedExt {
			return true
		}
	}
	return false
}
