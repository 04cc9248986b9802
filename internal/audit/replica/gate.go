package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// A gate is the way by which one term's keeper goes to the shared folder: all that it opens, makes, renames and removes there
// has it in its path. <folder>/.terms/N is a symbolic link to the folder while term N is open, and an empty file when a
// later term has closed it. Closing is one rename: from then on every call of the old keeper with a path fails (ENOTDIR), also
// of one that was stopped for hours and goes on where it was. What such a keeper has open is another matter: see
// blob.Files.Renew.
const (
	gateDir = ".terms"
	// gatesKept is how many closed gates stay: without its gate's file, an old keeper would make folders for itself.
	gatesKept = 256
)

// openGate closes the gates of all terms before n, and opens that of n.
func openGate(folder string, n int64) (string, error) {
	dir := filepath.Join(folder, gateDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	if err := closeGates(dir, n); err != nil {
		return "", err
	}
	gate := filepath.Join(dir, strconv.FormatInt(n, 10))
	if err := os.Symlink("..", gate); err != nil {
		return "", err // a later term has closed it already
	}
	return gate, syncDir(dir)
}

// closeGates closes those of terms from the oldest that is there, and n-1 at least, up to n.
func closeGates(dir string, n int64) error {
	all, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	first := n - 1
	for _, e := range all {
		t, err := strconv.ParseInt(e.Name(), 10, 64)
		switch {
		case err != nil: // left from a crash
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		case t < n-gatesKept && e.Type().IsRegular():
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		case t < first:
			first = t
		}
	}
	for t := max(first, n-gatesKept, 1); t < n; t++ {
		if err := closeGate(dir, t); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

func closeGate(dir string, t int64) error {
	name := strconv.FormatInt(t, 10)
	gate := filepath.Join(dir, name)
	if info, err := os.Lstat(gate); err == nil && info.Mode().IsRegular() {
		return nil
	}
	f, err := os.CreateTemp(dir, "closed-"+name+"-*")
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), os.Rename(f.Name(), gate)); err != nil {
		return fmt.Errorf("term %d stays open: %w", t, err)
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Magic numbers of file systems on a disk of this machine, as statfs(2) has them.
const (
	extMagic   = 0xEF53
	xfsMagic   = 0x58465342
	btrfsMagic = 0x9123683E
	tmpMagic   = 0x01021994
	overlay    = 0x794C7630
	f2fsMagic  = 0xF2F52010
	zfsMagic   = 0x2FC12FC1
)

// Local reports whether a folder is on a file system of this machine's own, where a gate that is closed is closed for all
// at once. Clients of a network file system may remember for a while where a path went.
func Local(folder string) bool {
	var s syscall.Statfs_t
	if syscall.Statfs(folder, &s) != nil {
		return false
	}
	switch int64(s.Type) & 0xFFFFFFFF {
	case extMagic, xfsMagic, btrfsMagic, tmpMagic, overlay, f2fsMagic, zfsMagic:
		return true
	}
	return false
}
