package translog

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/transparency-dev/tessera/client"
)

// View reads a log as far as its newest checkpoint goes, while somebody may append to it. It is safe for concurrent use.
type View struct {
	dir   string
	tiles client.FileFetcher
}

// NewView is of the log in dir, which need not exist yet.
func NewView(dir string) View { return View{dir: dir, tiles: client.FileFetcher{Root: dir}} }

// Checkpoint returns the newest signed checkpoint, as it stands and parsed.
func (l View) Checkpoint() ([]byte, Checkpoint, error) {
	raw, err := os.ReadFile(filepath.Join(l.dir, "checkpoint"))
	if err != nil {
		return nil, Checkpoint{}, fmt.Errorf("translog: %w", err)
	}
	c, err := parseCheckpoint(raw)
	if err != nil {
		return nil, c, fmt.Errorf("translog: checkpoint: %w", err)
	}
	return raw, c, nil
}

// Entries calls f for each entry from a place on that is covered by the newest checkpoint.
func (l View) Entries(from uint64, f func(n uint64, entry []byte) error) error {
	_, c, err := l.Checkpoint()
	if err != nil {
		return err
	}
	for n := from; n < c.Size; {
		entries, err := readBundle(l.dir, n/tileWidth, c.Size)
		if err != nil {
			return fmt.Errorf("translog: %w", err)
		}
		for _, e := range entries[n%tileWidth:] {
			if err := f(n, e); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}
