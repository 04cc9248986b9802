package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/mask"
)

// candidate is one verdict object, of a YAML rule, of Rego or built in.
type candidate struct {
	verdict      Verdict
	rule         string
	reason, hint string
	approvers    []string
	quorum       int
	timeout      time.Duration
	shapeFor     time.Duration
	shapePool    bool
	features     []string // features_allowed
	covers       *coverage
	order        int
	builtin      bool
}

// coverage is what of an action a candidate speaks for; nil means all of it.
type coverage struct {
	scoped                   bool // it is about certain tables only
	verbs                    []string
	reads, writes, functions [][2]string
}

type result struct {
	candidates []candidate
	masks      []mask.Spec
}

// orderNone sorts what Rego of the folder says after the YAML rules.
const orderNone = 1 << 30

// decodeResult reads data.dragoman.main.result strictly: anything that is not
// as documented is an error, so that a verdict misspelt is never one ignored.
func decodeResult(v any) (result, error) {
	top, ok := v.(map[string]any)
	if !ok {
		return result{}, errors.New("the result is not an object")
	}
	var out result
	verdicts, ok1 := top["verdicts"].([]any)
	masks, ok2 := top["masks"].([]any)
	if !ok1 || !ok2 {
		return result{}, errors.New("verdicts and masks must be sets")
	}
	for _, v := range verdicts {
		c, err := decodeCandidate(v)
		if err != nil {
			return result{}, fmt.Errorf("verdict %s: %w", brief(v), err)
		}
		out.candidates = append(out.candidates, c)
	}
	slices.SortStableFunc(out.candidates, func(a, b candidate) int {
		if a.order != b.order {
			return a.order - b.order
		}
		return compareText(a.rule+"\x00"+a.reason, b.rule+"\x00"+b.reason)
	})
	type ordered struct {
		spec  mask.Spec
		order int
	}
	specs := make([]ordered, 0, len(masks))
	for _, v := range masks {
		s, order, err := decodeMask(v)
		if err != nil {
			return result{}, fmt.Errorf("mask %s: %w", brief(v), err)
		}
		specs = append(specs, ordered{s, order})
	}
	slices.SortStableFunc(specs, func(a, b ordered) int {
		if a.order != b.order {
			return a.order - b.order
		}
		return compareText(a.spec.Name, b.spec.Name)
	})
	for _, s := range specs {
		out.masks = append(out.masks, s.spec)
	}
	return out, nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func brief(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(b[:min(len(b), 200)])
}

func decodeCandidate(v any) (candidate, error) {
	f := fields{in: v}
	c := candidate{order: f.integer("order", orderNone)}
	word := f.text("verdict", true)
	c.rule, c.reason, c.hint = f.text("rule", true), f.text("reason", false), f.text("hint", false)
	c.approvers, c.quorum = f.texts("approvers"), f.integer("quorum", 0)
	c.features, c.builtin = f.texts("features_allowed"), f.boolean("builtin")
	timeout, shape := f.text("timeout", false), f.text("shape_for", false)
	c.shapePool = f.boolean("shape_pool")
	if cv, ok := f.take("covers"); ok {
		cf := fields{in: cv}
		c.covers = &coverage{scoped: cf.boolean("scoped"), verbs: cf.texts("verbs"),
			reads: cf.pairs("reads"), writes: cf.pairs("writes"), functions: cf.pairs("functions")}
		f.keep(cf.done())
	}
	if err := f.done(); err != nil {
		return c, err
	}
	var err error
	if c.timeout, err = duration("timeout", timeout); err != nil {
		return c, err
	}
	if c.shapeFor, err = duration("shape_for", shape); err != nil {
		return c, err
	}
	if c.shapeFor > hold.MaxShape {
		return c, fmt.Errorf("shape_for %q is longer than %s", shape, hold.MaxShape)
	}
	return c, c.check(word)
}

// duration reads one that is not negative; "" is 0.
func duration(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s %q is not a duration", name, text)
	}
	return d, nil
}

func (c *candidate) check(word string) error {
	switch word {
	case "allow":
		c.verdict = Allow
	case "hold":
		c.verdict = Hold
		if len(c.approvers) == 0 {
			return errors.New("a hold needs approvers")
		}
	case "block":
	default:
		return fmt.Errorf("%q is not a verdict", word)
	}
	if c.rule == "" {
		return errors.New("rule is empty")
	}
	if c.quorum < 0 {
		return errors.New("quorum is negative")
	}
	return nil
}

func decodeMask(v any) (mask.Spec, int, error) {
	f := fields{in: v}
	order := f.integer("order", orderNone)
	s := mask.Spec{Name: f.text("name", true), Columns: f.texts("columns"), Detectors: f.texts("detectors"),
		Way: f.text("way", false), KeepFirst: f.integer("keep_first", 0), KeepLast: f.integer("keep_last", 0),
		Predicates: f.text("predicates", false), JSON: f.texts("json"), Fields: f.texts("fields"), Opaque: f.text("opaque", false)}
	return s, order, f.done()
}

// fields reads an object field by field and remembers the first error; done
// fails on fields that nobody took.
type fields struct {
	in    any
	taken int
	err   error
}

func (f *fields) keep(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fields) take(name string) (any, bool) {
	m, ok := f.in.(map[string]any)
	if !ok {
		f.keep(errors.New("not an object"))
		return nil, false
	}
	v, ok := m[name]
	if ok {
		f.taken++
	}
	return v, ok
}

func (f *fields) done() error {
	if m, ok := f.in.(map[string]any); f.err == nil && ok && len(m) > f.taken {
		f.err = errors.New("it has a field that is not known")
	}
	return f.err
}

func (f *fields) text(name string, needed bool) string {
	v, ok := f.take(name)
	if !ok {
		if needed {
			f.keep(fmt.Errorf("%s is missing", name))
		}
		return ""
	}
	s, ok := v.(string)
	if !ok {
		f.keep(fmt.Errorf("%s is not a string", name))
	}
	return s
}

func (f *fields) boolean(name string) bool {
	v, ok := f.take(name)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		f.keep(fmt.Errorf("%s is not true or false", name))
	}
	return b
}

func (f *fields) integer(name string, none int) int {
	v, ok := f.take(name)
	if !ok {
		return none
	}
	n, ok := v.(json.Number)
	if ok {
		if i, err := n.Int64(); err == nil && int64(int32(i)) == i {
			return int(i)
		}
	}
	f.keep(fmt.Errorf("%s is not a whole number", name))
	return none
}

func (f *fields) texts(name string) []string {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		f.keep(fmt.Errorf("%s is not a list", name))
		return nil
	}
	var out []string
	for _, x := range l {
		s, ok := x.(string)
		if !ok {
			f.keep(fmt.Errorf("%s is not a list of strings", name))
			return nil
		}
		out = append(out, s)
	}
	return out
}

// pairs reads a list of [schema, name].
func (f *fields) pairs(name string) [][2]string {
	v, _ := f.take(name)
	l, _ := v.([]any)
	if v != nil && l == nil {
		f.keep(fmt.Errorf("%s is not a list", name))
	}
	var out [][2]string
	for _, x := range l {
		p, ok := x.([]any)
		if !ok || len(p) != 2 {
			f.keep(fmt.Errorf("%s is not a list of [schema, name]", name))
			return nil
		}
		a, ok1 := p[0].(string)
		b, ok2 := p[1].(string)
		if !ok1 || !ok2 {
			f.keep(fmt.Errorf("%s is not a list of [schema, name]", name))
			return nil
		}
		out = append(out, [2]string{a, b})
	}
	return out
}
