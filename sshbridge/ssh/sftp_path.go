package ssh

import (
	"path"
	"strings"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/sftpwire"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// maxPath is Linux's PATH_MAX.
const maxPath = 4096

// place is where a path leads.
type place struct {
	real  string // what the target gets: absolute, without links in front of the last name
	named string // as the client named it: absolute and without dots, which policy sees as well
}

// resolve makes a path real. follow says that the operation goes where a link in the last place leads.
func (f *sftpSession) resolve(p string, follow bool) (place, error) {
	if !soundPath(p) {
		return place{}, &gate.Refusal{Words: "dragoman: the path is not one: no control characters, UTF-8, up to 4096 bytes"}
	}
	if !strings.HasPrefix(p, "/") {
		p = f.cwd + "/" + p
	}
	out := place{named: path.Clean(p)}
	trimmed := strings.TrimRight(p, "/")
	dir, base := path.Split(trimmed)
	if trimmed != p || base == "." || base == ".." || trimmed == "" { // it names a folder: a link to one is followed
		follow = true
	}
	if follow {
		real, ok, err := f.realpath(p)
		if err != nil {
			return place{}, err
		}
		if ok {
			out.real = real
			return out, nil
		}
	}
	if base == "." || base == "" {
		dir, base = p, ""
	} else if base == ".." {
		return place{}, &gate.Refusal{Words: "dragoman: where the path leads cannot be told"}
	}
	// The nearest folder that is there tells where the rest would be.
	for climbed := 0; climbed < maxClimb; climbed++ {
		real, ok, err := f.realpath(dir)
		if err != nil {
			return place{}, err
		}
		if ok {
			out.real = path.Join(real, base)
			if climbed == 0 && !follow || base == "" {
				return out, nil
			}
			first, _, _ := strings.Cut(base, "/")
			absent, err := f.absent(path.Join(real, first))
			if err == nil && !absent { // it is there, but where it leads was not told
				err = &gate.Refusal{Words: "dragoman: where the path leads cannot be told"}
			}
			return out, err
		}
		var last string
		if dir, last = path.Split(strings.TrimRight(dir, "/")); last == ".." { // of what is not there: nobody can tell
			break
		}
		base = last + "/" + base
	}
	return place{}, &gate.Refusal{Words: "dragoman: where the path leads cannot be told"}
}

// maxClimb bounds how many folders that are not there a path may have.
const maxClimb = 64

// realpath asks the target; ok is false when there is no such path.
func (f *sftpSession) realpath(p string) (real string, ok bool, err error) {
	r, err := f.ask(sftpwire.Request{Type: sftpwire.Realpath, Path: p})
	if err != nil {
		return "", false, err
	}
	if len(r.Names) != 1 {
		return "", false, nil
	}
	if !strings.HasPrefix(r.Names[0], "/") || !soundPath(r.Names[0]) {
		return "", false, &gate.Refusal{Words: "dragoman: where the path leads has a name that is not sound"}
	}
	return path.Clean(r.Names[0]), true, nil
}

// absent asks the target whether there is nothing of that name.
func (f *sftpSession) absent(p string) (bool, error) {
	r, err := f.ask(sftpwire.Request{Type: sftpwire.Lstat, Path: p})
	return r.Type == sftpwire.Status && r.Code == sftpwire.NoSuchFile, err
}

func soundPath(p string) bool {
	if len(p) > maxPath || !utf8.ValidString(p) {
		return false
	}
	for i := range len(p) {
		if p[i] < ' ' || p[i] == 0x7f {
			return false
		}
	}
	return true
}
