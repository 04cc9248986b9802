package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sort"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/record"
)

// verify checks a record by itself. What is encrypted is opened if its key is there.
func (v *verification) verify(ctx context.Context, path, key, id, ext string) (record.Report, error) {
	var bad *keyError
	path, done, err := v.local(ctx, path, key)
	if err != nil {
		return record.Report{}, err
	}
	defer done()
	if ext != liveExt {
		rep, err := record.Verify(path, v.arch.keysOf(ctx, key))
		if errors.As(err, &bad) {
			if rep, err = record.Verify(path, nil); err == nil {
				rep.Problems = append(rep.Problems, record.Problem{Kind: "key", Detail: bad.Error()})
			}
		}
		return rep, err
	}
	secret, err := v.arch.growsEncrypted(ctx, key)
	if err != nil {
		return record.Report{}, err
	}
	if !secret {
		return record.Verify(path, nil)
	}
	var rep record.Report
	r, err := v.arch.open(ctx, key)
	if err == nil {
		defer r.Close()
		rep, err = record.VerifyReader(r)
	}
	switch {
	case errors.Is(err, record.ErrEncrypted):
		return record.Report{Session: id, Encrypted: true, Problems: []record.Problem{}}, nil
	case errors.As(err, &bad):
		return record.Report{Session: id, Encrypted: true, Problems: []record.Problem{{Kind: "key", Detail: bad.Error()}}}, nil
	case errors.Is(err, blob.ErrChanged):
		rep.Session, rep.Problems = id, append(rep.Problems, record.Problem{Kind: "changed", Frame: rep.Frames, Detail: err.Error()})
		return rep, nil
	}
	return rep, err
}

// live checks a file that grows, which may end inside a frame, against what the log has of it.
func (v *verification) live(ctx context.Context, r *Result, p *proven) error {
	if ps := r.Report.Problems; len(ps) == 1 && ps[0].Kind == "truncated" {
		r.Report.Problems = ps[:0]
	}
	if p == nil {
		return nil
	}
	all := p.running
	if p.final != nil {
		all = append(all[:len(all):len(all)], *p.final)
	}
	return v.prefixes(ctx, r, all)
}

// sealed checks a final file.
func (v *verification) sealed(ctx context.Context, r *Result, p *proven) error {
	f, rep := p.final, r.Report
	same := rep.Frames == f.Frames && rep.Bytes == f.Bytes && rep.Hash == hex.EncodeToString(f.Hash[:])
	switch {
	case same && rep.FileHash == hex.EncodeToString(f.FileHash[:]):
	case same:
		r.Problem = "changed: the frames are those of the log, the file around them is not"
	case rep.Frames < f.Frames:
		r.Problem = fmt.Sprintf("truncated or changed: %d good frames, the log has %d", rep.Frames, f.Frames)
	case rep.Frames > f.Frames:
		r.Problem = fmt.Sprintf("added: %d frames, the log has %d", rep.Frames, f.Frames)
	default:
		r.Problem = "replaced: it is not the record that the log has"
	}
	r.Proven = f.Frames
	if r.Problem == "" && (f.State == LeafLost) != rep.Lost {
		r.Problem = "replaced: its end is not the one that the log has"
	}
	return v.prefixes(ctx, r, p.running)
}

// prefixes checks that the record begins as the log says.
func (v *verification) prefixes(ctx context.Context, r *Result, leaves []Leaf) error {
	if len(leaves) == 0 || r.Problem != "" || r.Report.Encrypted {
		return nil
	}
	sort.SliceStable(leaves, func(i, j int) bool { return leaves[i].Frames < leaves[j].Frames })
	rd, err := v.arch.Open(ctx, filepath.ToSlash(r.File))
	var corrupt *record.CorruptError
	if errors.As(err, &corrupt) || errors.Is(err, blob.ErrChanged) {
		r.Problem = fmt.Sprintf("truncated or changed: no good frames, the log has %d", leaves[len(leaves)-1].Frames)
		return nil
	}
	if err != nil {
		return err
	}
	defer rd.Close()
	frames := uint64(0)
	for _, l := range leaves {
		for ; frames < l.Frames; frames++ {
			if _, err := rd.Next(); err != nil {
				if err != io.EOF && !errors.As(err, &corrupt) && !errors.Is(err, blob.ErrChanged) {
					return err
				}
				r.Problem = fmt.Sprintf("truncated or changed: %d good frames, the log has %d", frames, l.Frames)
				return nil
			}
		}
		if rd.Hash() != l.Hash || rd.Offset() != l.Bytes {
			r.Problem = fmt.Sprintf("replaced: its first %d frames are not those that the log has", l.Frames)
			return nil
		}
		r.Proven = max(r.Proven, l.Frames)
	}
	return nil
}
