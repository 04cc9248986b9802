package translog

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/transparency-dev/tessera/api/layout"
)

const (
	tileWidth = 256
	maxBundle = tileWidth * (2 + MaxEntry)
)

// Problem is one thing that is wrong with a log.
type Problem struct {
	// Kind: "checkpoint", "signature", "key", "missing", "entry", "tile", "root", "rolled back", "forked", "witness".
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

func (p Problem) String() string { return p.Kind + ": " + p.Detail }

// Content is what Read found.
type Content struct {
	Checkpoint
	Raw []byte // the checkpoint as it stands
	// Current signs now; the others signed before it.
	Current  ed25519.PublicKey
	Cosigned []string // names of witnesses whose cosignatures of the checkpoint verify
	Problems []Problem

	ring   keyRing
	hashes [][hashLen]byte // of the entries
	dir    string
	size   uint64 // whole entries: fewer than Size when some are missing
}

func (c *Content) problem(kind, format string, args ...any) {
	c.Problems = append(c.Problems, Problem{kind, fmt.Sprintf(format, args...)})
}

// Read checks a whole log from its files alone: every entry against the tiles, the
// tiles against the root, the root's signature against pub, a key that has signed it at any
// time. Witnesses whose keys are given must have cosigned. f is called for each
// entry, also of a log with problems; Problems says what is wrong, the error what cannot be read at all.
func Read(dir string, pub ed25519.PublicKey, witnesses []string, f func(n uint64, entry []byte) error) (*Content, error) {
	c := &Content{dir: dir}
	var err error
	if c.Raw, err = os.ReadFile(filepath.Join(dir, layout.CheckpointPath)); errors.Is(err, os.ErrNotExist) {
		c.problem("missing", "there is no checkpoint")
		return c, nil
	} else if err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	if c.Checkpoint, err = parseCheckpoint(c.Raw); err != nil {
		c.problem("checkpoint", "%v", err)
		return c, nil
	}
	for n := uint64(0); n < c.Size; n += tileWidth {
		if ok, err := c.bundle(n/tileWidth, f); err != nil {
			return nil, err
		} else if !ok {
			break
		}
	}
	if err := c.tiles(); err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	if c.size == c.Size {
		if c.Root != rootOf(c.hashes) {
			c.problem("root", "the entries are not those that the checkpoint is of")
		}
	}
	return c, c.signed(pub, witnesses)
}

func (c *Content) signed(pub ed25519.PublicKey, witnesses []string) error {
	if err := c.ring.trust(pub); err != nil {
		c.problem("key", "%v", err)
		return nil
	}
	c.Current = c.ring.keys[len(c.ring.keys)-1]
	vs, err := witnessVerifiers(witnesses)
	if err != nil {
		return fmt.Errorf("translog: %w", err)
	}
	if _, c.Cosigned, err = openCheckpoint(c.Raw, c.Checkpoint, c.ring.at(c.Size), vs); err != nil {
		c.problem("signature", "the checkpoint: %v", err)
		return nil
	}
	got := map[string]bool{}
	for _, name := range c.Cosigned {
		got[name] = true
	}
	for _, v := range vs {
		if !got[v.Name()] {
			c.problem("witness", "%s did not cosign the checkpoint", v.Name())
		}
	}
	return nil
}

// bundle reads one bundle of entries. It reports whether all of it is there.
func (c *Content) bundle(index uint64, f func(uint64, []byte) error) (bool, error) {
	entries, err := readBundle(c.dir, index, c.Size)
	var bad *bundleError
	switch {
	case errors.As(err, &bad):
		c.problem("entry", "from entry %d: %v", index*tileWidth+uint64(len(entries)), err)
	case errors.Is(err, os.ErrNotExist):
		c.problem("missing", "entries from %d", index*tileWidth)
	case err != nil:
		return false, fmt.Errorf("translog: %w", err)
	}
	for i, e := range entries {
		n := index*tileWidth + uint64(i)
		c.hashes = append(c.hashes, leafHash(e))
		c.size++
		if IsKeyChange(e) {
			k, err := ParseKeyChange(e)
			if err == nil {
				err = c.ring.add(c.Origin, n, k)
			}
			if err != nil {
				c.problem("key", "entry %d: %v", n, err)
			}
		}
		if f != nil {
			if err := f(n, e); err != nil {
				return false, err
			}
		}
	}
	return err == nil, nil
}

// Consistent checks that this log is the one of an older checkpoint, and not shorter.
func (c *Content) Consistent(old []byte) {
	o, err := parseCheckpoint(old)
	if err != nil {
		c.problem("checkpoint", "the kept checkpoint: %v", err)
		return
	}
	if o.Origin != c.Origin {
		c.problem("forked", "the kept checkpoint is of the log %q, this is %q", o.Origin, c.Origin)
		return
	}
	if o.Size > c.Size {
		c.problem("rolled back", "the log had %d entries, and has %d", o.Size, c.Size)
		return
	}
	if _, _, err := openCheckpoint(old, o, c.ring.at(o.Size), nil); err != nil {
		c.problem("signature", "the kept checkpoint: %v", err)
		return
	}
	if o.Size <= c.size && rootOf(c.hashes[:o.Size]) != o.Root {
		c.problem("forked", "the first %d entries are not those of the kept checkpoint", o.Size)
	}
}
