package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// rulesFile is rules.yaml: a list of rules, or this.
type rulesFile struct {
	Off   []string   `yaml:"off"`
	Rules []Rule     `yaml:"rules"`
	Masks []MaskRule `yaml:"masks"`
}

func (l *loader) readRules(p string, body []byte) {
	var f rulesFile
	var lines yaml.Node
	if !l.yaml(p, body, &lines) {
		return
	}
	top := root(&lines)
	if top != nil && top.Kind == yaml.SequenceNode {
		if !l.yaml(p, body, &f.Rules) {
			return
		}
	} else if !l.yaml(p, body, &f) {
		return
	}
	ruleLines, maskLines := entries(top, "rules"), entries(top, "masks")
	for i, r := range f.Rules {
		l.addRule(r, p, i, at(ruleLines, i))
	}
	for i, m := range f.Masks {
		l.addMask(m, p, i, at(maskLines, i))
	}
	l.off = append(l.off, f.Off...)
}

func (l *loader) readMasks(p string, body []byte) {
	var masks []MaskRule
	var lines yaml.Node
	if !l.yaml(p, body, &lines) || !l.yaml(p, body, &masks) {
		return
	}
	at0 := entries(root(&lines), "masks")
	for i, m := range masks {
		l.addMask(m, p, i, at(at0, i))
	}
}

func (l *loader) readData(p string, body []byte) {
	var doc map[string]any
	if strings.HasSuffix(p, ".json") {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&doc); err != nil {
			l.problem(p, 0, "not a JSON object: "+err.Error())
			return
		}
	} else if !l.yaml(p, body, &doc) {
		return
	}
	into := l.data
	if dir := path.Dir(p); dir != "." {
		for _, part := range strings.Split(dir, "/") {
			next, ok := into[part].(map[string]any)
			if !ok {
				if _, taken := into[part]; taken {
					l.problem(p, 0, fmt.Sprintf("data.%s is already a value", strings.ReplaceAll(dir, "/", ".")))
					return
				}
				next = map[string]any{}
				into[part] = next
			}
			into = next
		}
	}
	for k, v := range doc {
		if _, taken := into[k]; taken {
			l.problem(p, 0, fmt.Sprintf("the key %q is set twice", k))
			continue
		}
		into[k] = v
	}
	if _, taken := l.data[reservedKey]; taken {
		l.problem(p, 0, "the key \"dragoman\" is reserved")
		delete(l.data, reservedKey)
	}
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
var yamlField = regexp.MustCompile(`^field (\S+) not found in type \S+$`)

// yaml decodes strictly and keeps what is wrong as problems with lines.
func (l *loader) yaml(p string, body []byte, into any) bool {
	d := yaml.NewDecoder(bytes.NewReader(body))
	d.KnownFields(true)
	err := d.Decode(into)
	if err == nil {
		var next yaml.Node
		if err := d.Decode(&next); !errors.Is(err, io.EOF) { // rules in it would be missed silently
			l.problem(p, next.Line, "more than one YAML document")
			return false
		}
		return true
	}
	if errors.Is(err, io.EOF) {
		return true
	}
	msgs := []string{err.Error()}
	var te *yaml.TypeError
	if errors.As(err, &te) {
		msgs = te.Errors
	}
	for _, m := range msgs {
		line := 0
		if s := yamlLine.FindStringSubmatch(m); s != nil {
			fmt.Sscan(s[1], &line)
			m = s[2]
		}
		if s := yamlField.FindStringSubmatch(m); s != nil {
			m = fmt.Sprintf("unknown key %q", s[1])
		}
		l.problem(p, line, m)
	}
	return false
}

func root(doc *yaml.Node) *yaml.Node {
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		return doc.Content[0]
	}
	return nil
}

// entries are the nodes of a list: top itself, or what it has under key.
func entries(top *yaml.Node, key string) []*yaml.Node {
	if top == nil {
		return nil
	}
	if top.Kind == yaml.SequenceNode {
		return top.Content
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		if top.Content[i].Value == key {
			return top.Content[i+1].Content
		}
	}
	return nil
}

func at(nodes []*yaml.Node, i int) int {
	if i < len(nodes) {
		return nodes[i].Line
	}
	return 0
}
