package main

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/translog"
	"dragoman.dev/dragoman/web/api"
)

func newAuditCheckpoint(f *flags) *cobra.Command {
	var save string
	c := &cobra.Command{Use: "checkpoint", Short: "Print the newest signed checkpoint of the transparency log: keep it elsewhere", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			var h api.Head
			if err := cl.get(c.Context(), "/v1/log/checkpoint", nil, &h); err != nil {
				return err
			}
			if save != "" {
				if err := os.WriteFile(save, []byte(h.Checkpoint), 0o644); err != nil {
					return err
				}
			}
			if f.json {
				return printJSON(c.OutOrStdout(), h)
			}
			_, err = io.WriteString(c.OutOrStdout(), h.Checkpoint)
			return err
		}}
	c.Flags().StringVar(&save, "save", "", "write it to this file, too")
	return c
}

func newAuditProof(f *flags) *cobra.Command {
	return &cobra.Command{Use: "proof SESSION", Short: "Print the proof that a session is in the transparency log",
		Long: "Print the proof that a session is in the transparency log, as JSON: its newest entry, the audit path and the checkpoint.\n" +
			"Whoever has it and the public key can check it without the records: `dragoman audit verify-proof FILE --key record.pub`.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			var p translog.Inclusion
			if err := cl.get(c.Context(), "/v1/sessions/"+url.PathEscape(args[0])+"/proof", nil, &p); err != nil {
				return err
			}
			return printJSON(c.OutOrStdout(), p)
		}}
}

func newAuditConsistency(f *flags) *cobra.Command {
	var from, to uint64
	c := &cobra.Command{Use: "consistency --from SIZE", Short: "Print the proof that the log of one size begins with that of another",
		Long: "Print the proof that the log of one size begins with that of an older one, as JSON. SIZE is the second line of a checkpoint.\n" +
			"Check it with `dragoman audit verify-proof FILE --key record.pub --checkpoint OLD`.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			var p translog.Consistency
			q := url.Values{"from": {strconv.FormatUint(from, 10)}, "to": {strconv.FormatUint(to, 10)}}
			if err := cl.get(c.Context(), "/v1/log/consistency", q, &p); err != nil {
				return err
			}
			return printJSON(c.OutOrStdout(), p)
		}}
	c.Flags().Uint64Var(&from, "from", 0, "size of the older checkpoint")
	c.Flags().Uint64Var(&to, "to", 0, "size of the newer one (default: the newest)")
	return c
}

// proven is what `audit verify-proof --json` prints.
type proven struct {
	OK      bool      `json:"ok"`
	Problem string    `json:"problem,omitempty"`
	Session string    `json:"session,omitempty"`
	State   string    `json:"state,omitempty"`
	Frames  uint64    `json:"frames,omitempty"`
	Time    time.Time `json:"time,omitzero"`
	From    uint64    `json:"from,omitempty"`
	Size    uint64    `json:"size"`
	Origin  string    `json:"origin"`
}

func newAuditVerifyProof(f *flags) *cobra.Command {
	var keys []string
	var old, newer string
	c := &cobra.Command{Use: "verify-proof FILE", Short: "Check a proof, offline: needs only the public key",
		Long: "Check what `audit proof` or `audit consistency` printed, offline. Exits with 1 when it does not hold.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p := prover{}
			for _, path := range keys {
				key, err := readRecordPub(path)
				if err != nil {
					return err
				}
				p.keys = append(p.keys, key)
			}
			if len(keys) == 0 {
				return fail(exitUsage, "--key is missing: the public key that signs the log")
			}
			var err error
			if p.old, p.newer, err = readKept(old, newer); err != nil {
				return err
			}
			b, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			out, err := p.check(b)
			if err != nil {
				out.Problem = err.Error()
			}
			out.OK = err == nil
			if f.json {
				if err := printJSON(c.OutOrStdout(), out); err != nil {
					return err
				}
			} else {
				out.print(c.OutOrStdout())
			}
			if err != nil {
				return &exitError{code: exitFailure}
			}
			return nil
		}}
	c.Flags().StringArrayVar(&keys, "key", nil, "a public key of the log, such as record.pub (again for those before it)")
	c.Flags().StringVar(&old, "checkpoint", "", "the older checkpoint, for a proof of consistency")
	c.Flags().StringVar(&newer, "newer", "", "the newer checkpoint, when the proof has none")
	return c
}

func readKept(paths ...string) (a, b []byte, err error) {
	var kept [2][]byte
	for i, p := range paths {
		if p == "" {
			continue
		}
		if kept[i], err = os.ReadFile(p); err != nil {
			return nil, nil, fmt.Errorf("the kept checkpoint: %w", err)
		}
	}
	return kept[0], kept[1], nil
}

func (p proven) print(w io.Writer) {
	switch {
	case !p.OK:
		fmt.Fprintf(w, "not proven: %s\n", clean(p.Problem))
	case p.Session != "":
		fmt.Fprintf(w, "session %s (%s, %d frames) is in the log %s of %d entries since %s\n", clean(p.Session), clean(p.State), p.Frames, clean(p.Origin), p.Size, clock(p.Time))
	default:
		fmt.Fprintf(w, "the log %s of %d entries begins with that of %d\n", clean(p.Origin), p.Size, p.From)
	}
}

// prover checks proofs.
type prover struct {
	keys       []ed25519.PublicKey
	old, newer []byte
}

func (p prover) check(b []byte) (proven, error) {
	var kind struct {
		Entry []byte  `json:"entry"`
		From  *uint64 `json:"from"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return proven{}, fmt.Errorf("not a proof: %w", err)
	}
	switch {
	case kind.Entry != nil:
		return p.inclusion(b)
	case kind.From != nil:
		return p.consistency(b)
	}
	return proven{}, errors.New("not a proof: it has neither an entry nor a size to begin from")
}

func (p prover) inclusion(b []byte) (out proven, err error) {
	var in translog.Inclusion
	if err := json.Unmarshal(b, &in); err != nil {
		return out, fmt.Errorf("not a proof: %w", err)
	}
	for _, key := range p.keys {
		if err = in.Verify(key); err == nil {
			break
		}
	}
	if err != nil {
		return out, err
	}
	leaf, err := audit.ParseLeaf(in.Entry)
	if err != nil {
		return out, err
	}
	c, err := translog.ParseCheckpoint([]byte(in.Checkpoint))
	return proven{Session: leaf.Session, State: string(leaf.State), Frames: leaf.Frames, Time: leaf.Time, Size: c.Size, Origin: c.Origin}, err
}

func (p prover) consistency(b []byte) (out proven, err error) {
	var con translog.Consistency
	if err := json.Unmarshal(b, &con); err != nil {
		return out, fmt.Errorf("not a proof: %w", err)
	}
	newer := []byte(con.Checkpoint)
	if p.newer != nil {
		newer = p.newer
	}
	if p.old == nil || len(newer) == 0 {
		return out, errors.New("a proof of consistency needs the older checkpoint (--checkpoint), and the newer one if it has none (--newer)")
	}
	if err := con.VerifyBetween(p.old, newer, p.keys...); err != nil {
		return out, err
	}
	c, err := translog.ParseCheckpoint(newer)
	return proven{From: con.From, Size: c.Size, Origin: c.Origin}, err
}
