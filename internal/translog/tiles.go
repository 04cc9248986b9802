package translog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/transparency-dev/tessera/api/layout"
)

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
