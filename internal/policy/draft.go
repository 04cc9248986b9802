package policy

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// draftFS is a folder with some files replaced, added or, with an empty text, taken away.
type draftFS struct {
	under fs.FS // nil: no folder
	files map[string]string
}

func drafted(dir string, files map[string]string) fs.FS {
	d := draftFS{files: files}
	if dir != "" {
		d.under = os.DirFS(dir)
	}
	return d
}

// Open implements fs.FS.
func (d draftFS) Open(name string) (fs.File, error) {
	text, ok := d.files[name]
	switch {
	case ok && text != "":
		return &draftFile{Reader: strings.NewReader(text), name: path.Base(name), size: int64(len(text))}, nil
	case ok || d.under == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return d.under.Open(name)
}

// ReadDir implements fs.ReadDirFS.
func (d draftFS) ReadDir(dir string) ([]fs.DirEntry, error) {
	var list []fs.DirEntry
	if d.under != nil {
		var err error
		if list, err = fs.ReadDir(d.under, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	kept := map[string]fs.DirEntry{}
	for _, e := range list {
		if text, ok := d.files[path.Join(dir, e.Name())]; !ok || text != "" {
			kept[e.Name()] = e
		}
	}
	for name, text := range d.files {
		rest, ok := name, true
		if dir != "." {
			rest, ok = strings.CutPrefix(name, dir+"/")
		}
		if !ok || text == "" {
			continue
		}
		if first, _, deeper := strings.Cut(rest, "/"); !deeper {
			kept[first] = fs.FileInfoToDirEntry(draftInfo{first, int64(len(text)), 0o600})
		} else if kept[first] == nil {
			kept[first] = fs.FileInfoToDirEntry(draftInfo{first, 0, fs.ModeDir | 0o700})
		}
	}
	out := make([]fs.DirEntry, 0, len(kept))
	for _, e := range kept {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// Stat implements fs.StatFS, which walks begin with.
func (d draftFS) Stat(name string) (fs.FileInfo, error) {
	if text, ok := d.files[name]; ok && text != "" {
		return draftInfo{path.Base(name), int64(len(text)), 0o600}, nil
	}
	if d.under == nil {
		return draftInfo{path.Base(name), 0, fs.ModeDir | 0o700}, nil
	}
	return fs.Stat(d.under, name)
}

type draftInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i draftInfo) Name() string      { return i.name }
func (i draftInfo) Size() int64       { return i.size }
func (i draftInfo) Mode() fs.FileMode { return i.mode }
func (draftInfo) ModTime() time.Time  { return time.Time{} }
func (i draftInfo) IsDir() bool       { return i.mode.IsDir() }
func (draftInfo) Sys() any            { return nil }

type draftFile struct {
	io.Reader
	name string
	size int64
}

func (f *draftFile) Stat() (fs.FileInfo, error) { return draftInfo{f.name, f.size, 0o600}, nil }
func (*draftFile) Close() error                 { return nil }

// maxShownFile bounds what Files gives of each file.
const maxShownFile = 256 << 10

// Files are the files of the policy folder that decide, by path, as they are now. Tests are not among them.
func (s Source) Files() (map[string]string, error) {
	if s.Dir == "" {
		return nil, nil
	}
	out := map[string]string{}
	l := loader{modules: map[string]string{}, data: map[string]any{}, seen: func(p string, body []byte) {
		out[p] = string(bytes.ToValidUTF8(body[:min(len(body), maxShownFile)], []byte("\uFFFD")))
	}}
	return out, l.readDir(os.DirFS(s.Dir))
}
