// Package pushes keeps which policy was put in force, when, what of its files had changed, and by whom: one line of JSON
// each, in a file that is only added to. The policy's source is a folder; whoever changed it is, for the machine, the
// owner of the newest of the files that changed.
package pushes

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Bounds of the file: what is read of its end, and of one line.
const (
	maxRead = 4 << 20
	maxKept = 1000
)

// Ways in which a file has changed.
const (
	Added   = "added"
	Changed = "changed"
	Removed = "removed"
)

// Change is one file that is not as it was at the push before.
type Change struct {
	File string `json:"file"`
	How  string `json:"how"`
}

// Push is one policy that came into force.
type Push struct {
	Time     time.Time `json:"time"`
	Revision string    `json:"revision"`
	Before   string    `json:"before,omitempty"` // the revision that it took the place of
	// By is the owner of the newest of the files that changed, "local:NAME"; "" when no file tells.
	By      string   `json:"by,omitempty"`
	Changes []Change `json:"changes"`
	// Files are the digests of all files, for the next push.
	Files map[string]string `json:"files"`
}

// Log is the file.
type Log struct {
	path string
	now  func() time.Time

	mu   sync.Mutex
	kept []Push // newest last
}

// Open reads the file, which need not be there yet. A last line that was cut off by a crash is left out.
func Open(path string, now func() time.Time) (*Log, error) {
	l := &Log{path: path, now: now}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the policy's history: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("the policy's history: %w", err)
	}
	from := max(0, st.Size()-maxRead)
	body, err := io.ReadAll(io.NewSectionReader(f, from, maxRead))
	if err != nil {
		return nil, fmt.Errorf("the policy's history: %w", err)
	}
	s := bufio.NewScanner(bytes.NewReader(body))
	s.Buffer(nil, maxRead+1)
	for s.Scan() {
		var p Push
		if json.Unmarshal(s.Bytes(), &p) == nil && p.Revision != "" {
			l.kept = append(l.kept, p)
		}
	}
	l.trim()
	return l, s.Err()
}

func (l *Log) trim() { l.kept = slices.Clone(l.kept[max(0, len(l.kept)-maxKept):]) }

// List gives the pushes, newest first.
func (l *Log) List() []Push {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.kept)
	slices.Reverse(out)
	return out
}

// Add keeps that a revision is in force. files are the folder's, by path. One that was in force last is not new.
func (l *Log) Add(revision, dir string, files map[string]string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := Push{Time: l.now().UTC(), Revision: revision, Changes: []Change{}, Files: map[string]string{}}
	var before map[string]string
	if n := len(l.kept); n > 0 {
		if l.kept[n-1].Revision == revision {
			return nil
		}
		p.Before, before = l.kept[n-1].Revision, l.kept[n-1].Files
	}
	for name, text := range files {
		sum := sha256.Sum256([]byte(text))
		p.Files[name] = hex.EncodeToString(sum[:])
	}
	p.Changes = changes(before, p.Files)
	p.By = newest(dir, p.Changes)
	line, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := l.write(append(line, '\n')); err != nil {
		return fmt.Errorf("the policy's history: %w", err)
	}
	l.kept = append(l.kept, p)
	l.trim()
	return nil
}

// write adds a line, on a line of its own whatever a crash has left before it.
func (l *Log) write(line []byte) error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil && st.Size() > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, st.Size()-1); err == nil && last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	if err == nil {
		_, err = f.Write(line)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func changes(before, after map[string]string) []Change {
	out := []Change{}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		switch old, ok := before[name]; {
		case !ok:
			out = append(out, Change{name, Added})
		case old != after[name]:
			out = append(out, Change{name, Changed})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[name]; !ok {
			out = append(out, Change{name, Removed})
		}
	}
	return out
}

// newest is the owner of the newest of the files that changed.
func newest(dir string, list []Change) string {
	if dir == "" {
		return ""
	}
	var at time.Time
	owner := ""
	for _, c := range list {
		if c.How == Removed {
			continue
		}
		st, err := os.Stat(filepath.Join(dir, filepath.FromSlash(c.File)))
		if err != nil || owner != "" && !st.ModTime().After(at) {
			continue
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			at, owner = st.ModTime(), name(sys.Uid)
		}
	}
	return owner
}

func name(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "local:" + u.Username
	}
	return "local:" + id
}
