package pinned

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Folder returns dir/name, filled by fetch unless that was done with the same files before. The
// files, which pin what is fetched, lie in the folder when fetch runs.
func Folder(dir, name string, files map[string][]byte, fetch func(home string) error) (string, error) {
	base, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	home, h := filepath.Join(base, name), sha256.New()
	for _, f := range slices.Sorted(maps.Keys(files)) {
		h.Write([]byte(f + "\n"))
		h.Write(files[f])
	}
	stamp, want := filepath.Join(home, ".pins"), hex.EncodeToString(h.Sum(nil))
	unlock, err := Lock(filepath.Join(base, "."+name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if have, err := os.ReadFile(stamp); err == nil && string(have) == want {
		return home, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := errors.Join(os.RemoveAll(home), os.MkdirAll(home, 0o755)); err != nil {
		return "", err
	}
	for f, b := range files {
		if err := os.WriteFile(filepath.Join(home, f), b, 0o644); err != nil {
			return "", err
		}
	}
	if err := fetch(home); err != nil {
		return "", err
	}
	return home, os.WriteFile(stamp, []byte(want), 0o644)
}
