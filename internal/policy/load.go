package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Bounds of a policy folder.
const (
	maxFile  = 4 << 20  // bytes of one file
	maxFiles = 10000    // entries walked
	maxTotal = 32 << 20 // bytes of all files
)

// Source is a policy as its author keeps it: a folder and the entries of the
// config file.
type Source struct {
	// Dir is the policy folder, or "" for none: *.rego (tests excepted),
	// data.yaml, data.json, rules.yaml, masks.yaml.
	Dir string
	// Draft holds files, by their path in Dir, that stand in for those of the folder or beside them: a change that is
	// not made yet. An empty text takes the file away.
	Draft map[string]string
	// Rules and Masks come before those of the folder.
	Rules []Rule
	Masks []MaskRule
	// Off names built-in rule groups that are turned off.
	Off []string
}

// Bundle reads the source. Errors are *Problem or joined *Problem values
// where they are about a file's content.
func (s Source) Bundle() (Bundle, error) {
	l := loader{modules: map[string]string{}, data: map[string]any{}}
	for i, r := range s.Rules {
		l.addRule(r, "rules", i, 0)
	}
	for i, m := range s.Masks {
		l.addMask(m, "masks", i, 0)
	}
	l.off = slices.Clone(s.Off)
	if len(s.Draft) > 0 {
		if err := l.readDir(drafted(s.Dir, s.Draft)); err != nil {
			return Bundle{}, fmt.Errorf("reading policy folder %s with a draft: %w", s.Dir, err)
		}
	} else if s.Dir != "" {
		if err := l.readDir(os.DirFS(s.Dir)); err != nil {
			return Bundle{}, fmt.Errorf("reading policy folder %s: %w", s.Dir, err)
		}
	}
	for _, o := range l.off {
		if !slices.Contains(builtins, o) {
			l.problem("off", 0, fmt.Sprintf("%q is not a built-in group (%s)", o, strings.Join(builtins, ", ")))
		}
	}
	if len(l.problems) > 0 {
		return Bundle{}, problemsError(l.problems)
	}
	l.data[reservedKey] = encode(l.rules, l.masks, l.off)
	b := Bundle{Modules: l.modules, Data: l.data}
	rev, err := revision(b)
	if err != nil {
		return Bundle{}, fmt.Errorf("policy data: %w", err)
	}
	b.Revision = rev
	return b, nil
}

// revision is the hex SHA-256 over everything that decides: the built-in
// library, the modules and the data.
func revision(b Bundle) (string, error) {
	body, err := json.Marshal(struct {
		Version int
		Library []string
		Modules map[string]string
		Data    map[string]any
	}{InputVersion, []string{librarySource, baseSource, fieldsSource}, b.Modules, b.Data})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

type loader struct {
	modules  map[string]string
	data     map[string]any
	rules    []Rule
	masks    []MaskRule
	off      []string
	problems []Problem
	total    int
	seen     func(path string, body []byte) // nil: nobody looks
}

func (l *loader) problem(file string, line int, msg string) {
	l.problems = append(l.problems, Problem{File: file, Line: line, Message: msg})
}

func (l *loader) addRule(r Rule, file string, i, line int) {
	if msg := r.validate(); msg != "" {
		l.problem(file, line, fmt.Sprintf("rule %d (%s): %s", i+1, r.Name, msg))
	}
	if slices.ContainsFunc(l.rules, func(o Rule) bool { return o.Name == r.Name }) {
		l.problem(file, line, fmt.Sprintf("rule %d: the name %q is taken", i+1, r.Name))
	}
	l.rules = append(l.rules, r)
}

func (l *loader) addMask(m MaskRule, file string, i, line int) {
	if msg := m.validate(); msg != "" {
		l.problem(file, line, fmt.Sprintf("mask %d (%s): %s", i+1, m.Name, msg))
	}
	if slices.ContainsFunc(l.masks, func(o MaskRule) bool { return o.Name == m.Name }) {
		l.problem(file, line, fmt.Sprintf("mask %d: the name %q is taken", i+1, m.Name))
	}
	l.masks = append(l.masks, m)
}

func (l *loader) readDir(fsys fs.FS) error {
	n := 0
	return fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n++; n > maxFiles {
			return fmt.Errorf("more than %d files", maxFiles)
		}
		if d.IsDir() {
			if p != "." && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		return l.readFile(fsys, p)
	})
}

func (l *loader) readFile(fsys fs.FS, p string) error {
	name := path.Base(p)
	isRego := strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, "_test.rego")
	isData := name == "data.yaml" || name == "data.yml" || name == "data.json"
	isRoot := p == "rules.yaml" || p == "masks.yaml"
	if strings.HasPrefix(name, ".") || !isRego && !isData && !isRoot {
		return nil
	}
	body, err := readBounded(fsys, p)
	if err != nil {
		return err
	}
	if l.total += len(body); l.total > maxTotal {
		return fmt.Errorf("more than %d bytes of policy", maxTotal)
	}
	if l.seen != nil {
		l.seen(p, body)
	}
	switch {
	case isRego:
		l.modules[p] = string(body)
	case p == "rules.yaml":
		l.readRules(p, body)
	case p == "masks.yaml":
		l.readMasks(p, body)
	default:
		l.readData(p, body)
	}
	return nil
}

func readBounded(fsys fs.FS, p string) ([]byte, error) {
	f, err := fsys.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", p)
	}
	body, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(body) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", p, maxFile)
	}
	return body, err
}
