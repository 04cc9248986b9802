package translog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
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

type bundleError struct{ what string }

func (e *bundleError) Error() string { return e.what }

// readBundle reads the entries of a bundle that a tree of this size has.
func readBundle(dir string, index, size uint64) ([][]byte, error) {
	want := min(size-index*tileWidth, tileWidth)
	b, exact, err := readTile(dir, func(p uint8) string { return layout.EntriesPath(index, p) }, want)
	if err != nil {
		return nil, err
	}
	entries, rest := splitBundle(b, want)
	if uint64(len(entries)) < want {
		return entries, &bundleError{"the entries are cut off"}
	}
	if rest > 0 && exact {
		return entries, &bundleError{"there is something behind the entries"}
	}
	return entries, nil
}

// readTile reads what has want elements: the file of that width (exact), or the full one, made meanwhile.
func readTile(dir string, path func(uint8) string, want uint64) (b []byte, exact bool, err error) {
	if want < tileWidth {
		b, err := readBounded(filepath.Join(dir, path(uint8(want))))
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return b, true, err
		}
	}
	b, err = readBounded(filepath.Join(dir, path(0)))
	return b, want == tileWidth, err
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxBundle {
		return nil, &bundleError{fmt.Sprintf("%s has %d bytes", path, info.Size())}
	}
	return os.ReadFile(path)
}

// splitBundle cuts off at most want entries, each behind its length in two bytes. The entries are parts of b.
func splitBundle(b []byte, want uint64) (entries [][]byte, rest int) {
	for uint64(len(entries)) < want && len(b) >= 2 {
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			break
		}
		entries = append(entries, b[2:2+n:2+n])
		b = b[2+n:]
	}
	return entries, len(b)
}

// tiles compares the files of hashes that a tree of this size has with the entries. Files of other sizes
// are not looked at: a batch that a crash cut short leaves such, with what was never signed.
func (c *Content) tiles() error {
	row := c.hashes
	total := c.Size
	for level := uint64(0); total > 0; level++ {
		for index := uint64(0); index*tileWidth < total; index++ {
			want := min(total-index*tileWidth, tileWidth)
			if err := c.tile(level, index, want, row); err != nil {
				return err
			}
		}
		var up [][hashLen]byte
		for i := 0; i+tileWidth <= len(row); i += tileWidth {
			up = append(up, rootOf(row[i:i+tileWidth]))
		}
		row, total = up, total/tileWidth
	}
	return nil
}

// tile checks one tile.
func (c *Content) tile(level, index, want uint64, row [][hashLen]byte) error {
	path := func(p uint8) string { return layout.TilePath(level, index, p) }
	b, exact, err := readTile(c.dir, path, want)
	var bad *bundleError
	switch {
	case errors.Is(err, os.ErrNotExist):
		c.problem("missing", "tile %s", path(uint8(want%tileWidth)))
		return nil
	case errors.As(err, &bad):
		c.problem("tile", "%v", err)
		return nil
	case err != nil:
		return err
	}
	name := path(uint8(want % tileWidth))
	if exact && uint64(len(b)) != want*hashLen {
		c.problem("tile", "%s has %d bytes", name, len(b))
		return nil
	}
	c.compare(level, index, want, row, b, name)
	return nil
}

func (c *Content) compare(level, index, want uint64, row [][hashLen]byte, b []byte, name string) {
	if uint64(len(b)) < want*hashLen || len(b) > tileWidth*hashLen || len(b)%hashLen != 0 {
		c.problem("tile", "%s has %d bytes", name, len(b))
		return
	}
	for i := range want {
		n := index*tileWidth + i
		if n >= uint64(len(row)) {
			return
		}
		if !bytes.Equal(row[n][:], b[i*hashLen:(i+1)*hashLen]) {
			if level == 0 {
				c.problem("entry", "entry %d is not the one that tile %s has the hash of", n, name)
			} else {
				c.problem("tile", "%s, hash %d, is not that of the entries", name, i)
			}
			return
		}
	}
}

// leafHash is RFC 6962's hash of an entry.
func leafHash(entry []byte) [hashLen]byte {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(entry)
	return [hashLen]byte(h.Sum(nil))
}

// rootOf is RFC 6962's hash of a tree, from the hashes of its entries.
func rootOf(hashes [][hashLen]byte) [hashLen]byte {
	switch len(hashes) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return hashes[0]
	}
	k := 1
	for k*2 < len(hashes) {
		k *= 2
	}
	l, r := rootOf(hashes[:k]), rootOf(hashes[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}
