package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFile bounds dragoman.yaml; policy of any size belongs into policy.dir.
const maxFile = 4 << 20

// Load reads, completes and validates a config file. The error lists all that
// is wrong, one finding a line, each with file and line.
func Load(path string) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(abs)
	if err != nil {
		return nil, fmt.Errorf("read the config: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the config: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	return Parse(b, path)
}

// Parse is Load for bytes already read. Relative paths in it are relative to
// the folder of path.
func Parse(b []byte, path string) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	c := &Config{File: abs}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var root yaml.Node
	if err := dec.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, Errors{{File: path, Line: lineOf(err.Error()), Text: trimYAML(err.Error())}}
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, Errors{{File: path, Text: "holds more than one YAML document"}}
	}
	p := &problems{file: path, lines: map[string]int{}}
	if len(root.Content) > 0 {
		p.checkKeys(root.Content[0], c)
		p.decode(root.Content[0], c)
	}
	if len(p.found) > 0 {
		return nil, p.err()
	}
	c.complete(filepath.Dir(abs))
	c.validate(p)
	return c, p.err()
}

// Error is one finding.
type Error struct {
	File string
	Line int    // 0 when it belongs to no line
	Path string // "targets[0].listen"
	Text string
}

func (e Error) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
	}
	if e.Path != "" {
		s += ": " + e.Path
	}
	return s + ": " + e.Text
}

// Errors are all findings of a file, in the order of its lines.
type Errors []Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

// problems gathers findings and knows the line of each path.
type problems struct {
	file  string
	lines map[string]int
	found Errors
}

func (p *problems) addf(path, format string, args ...any) {
	p.found = append(p.found, Error{File: p.file, Line: p.line(path), Path: path, Text: fmt.Sprintf(format, args...)})
}

// line is that of the path, or of the nearest parent that is in the file.
func (p *problems) line(path string) int {
	for path != "" {
		if n, ok := p.lines[path]; ok {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	return 0
}

func (p *problems) err() error {
	if len(p.found) == 0 {
		return nil
	}
	slices.SortStableFunc(p.found, func(a, b Error) int { return a.Line - b.Line })
	return p.found
}

func (p *problems) decode(n *yaml.Node, c *Config) {
	err := n.Decode(c)
	if err == nil {
		return
	}
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		p.found = append(p.found, Error{File: p.file, Line: lineOf(err.Error()), Text: trimYAML(err.Error())})
		return
	}
	for _, s := range te.Errors {
		p.found = append(p.found, Error{File: p.file, Line: lineOf(s), Text: trimYAML(s)})
	}
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

func lineOf(s string) int {
	m := yamlLine.FindStringSubmatch(s)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

func trimYAML(s string) string {
	return yamlLine.ReplaceAllString(strings.TrimPrefix(s, "yaml: "), "")
}
