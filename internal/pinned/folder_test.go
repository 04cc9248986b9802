package pinned

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFolder(t *testing.T) {
	dir, n := t.TempDir(), 0
	get := func(pin string, err error) (string, error) {
		return Folder(dir, "x", map[string][]byte{"pins": []byte(pin)}, func(home string) error {
			n++
			if b, err := os.ReadFile(filepath.Join(home, "pins")); err != nil || string(b) != pin {
				t.Errorf("%q %v", b, err)
			}
			return err
		})
	}
	for _, c := range []struct {
		pin  string
		err  error
		runs int
	}{{"a", errors.New("no network"), 1}, {"a", nil, 2}, {"a", nil, 2}, {"b", nil, 3}, {"b", nil, 3}} {
		home, err := get(c.pin, c.err)
		if !errors.Is(err, c.err) || n != c.runs || err == nil && home != filepath.Join(dir, "x") {
			t.Errorf("%+v: %s %v, fetched %d times", c, home, err, n)
		}
	}
}
