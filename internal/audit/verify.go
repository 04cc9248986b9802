package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"dragoman.dev/dragoman/internal/record"
)

// Result is what Verify found about one record.
type Result struct {
	File   string        `json:"file"`
	Report record.Report `json:"report"`
	Live   bool          `json:"live,omitempty"` // not ended: no digest yet
	// Problem is "" or what is wrong beyond the report: missing, unsigned, not what was signed.
	Problem string `json:"problem,omitempty"`
}

// OK reports whether the record is whole and, when sealed, the one that was signed.
func (r *Result) OK() bool { return r.Problem == "" && r.Report.OK() }

// Summary counts results.
type Summary struct {
	Records int    `json:"records"`
	Live    int    `json:"live"`
	Bad     int    `json:"bad"`
	Digests uint64 `json:"digests"`
	// DigestProblem is what is wrong with the digests file itself; after it nothing in it counts.
	DigestProblem string `json:"digest_problem,omitempty"`
	// Head is the hash of the last digest line: two verifications with the same Head saw the same records.
	Head string `json:"head"`
}

// OK reports whether nothing is wrong.
func (s *Summary) OK() bool { return s.Bad == 0 && s.DigestProblem == "" }

// Verify checks all records under dir with nothing but the files and the public key. each is called for every record.
func Verify(ctx context.Context, dir string, pub ed25519.PublicKey, each func(Result)) (Summary, error) {
	var sum Summary
	signed := map[string]Digest{} // by session; a later line replaces
	if len(pub) != ed25519.PublicKeySize {
		return sum, errors.New("audit: not an Ed25519 public key")
	}
	f, err := os.Open(filepath.Join(dir, digestFile))
	switch {
	case err == nil:
		err = readDigests(f, pub, func(g Digest, _ int) error { signed[g.Session] = g; return nil },
			func(n uint64, prev string) { sum.Digests, sum.Head = n, prev })
		f.Close()
		if err != nil {
			sum.DigestProblem = err.Error()
		}
	case errors.Is(err, os.ErrNotExist):
		sum.DigestProblem = "there is no digests file"
	default:
		return sum, fmt.Errorf("audit: %w", err)
	}
	report := func(r Result) {
		sum.Records++
		if r.Live {
			sum.Live++
		}
		if !r.OK() {
			sum.Bad++
		}
		each(r)
	}
	seen := map[string]bool{}
	err = files(dir, func(path, id, ext string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		rep, err := record.Verify(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil // sealed meanwhile
		}
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		r := Result{File: rel, Report: rep}
		if ext == liveExt {
			checkLive(&r)
		} else {
			seen[id] = true
			g, ok := signed[id]
			checkSigned(&r, id, g, ok)
		}
		report(r)
		return nil
	})
	if err != nil {
		return sum, fmt.Errorf("audit: %w", err)
	}
	for id, g := range signed {
		if !seen[id] {
			report(Result{File: g.File, Report: record.Report{Session: id}, Problem: "missing: it was signed, and is not there"})
		}
	}
	return sum, nil
}

// checkLive lets a file that grows end inside a frame.
func checkLive(r *Result) {
	r.Live = true
	if ps := r.Report.Problems; len(ps) == 1 && ps[0].Kind == "truncated" {
		r.Report.Problems = ps[:0]
	}
}

func checkSigned(r *Result, id string, g Digest, ok bool) {
	switch {
	case !ok:
		r.Problem = "unsigned: no valid digest names it"
	case r.Report.Session != id:
		r.Problem = "wrong session: the file's name is not its session"
	case g.FileHash != r.Report.FileHash || g.Hash != r.Report.Hash || g.Frames != r.Report.Frames:
		r.Problem = "replaced: it is not the record that was signed"
	}
}
