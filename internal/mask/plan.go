package mask

import (
	"fmt"
	"strings"
	"sync"

	"dragoman.dev/dragoman/internal/sql"
)

// KeySize is the size in bytes of the key of WayHash.
const KeySize = 32

// coverCacheSize bounds the cache of Covers; a full cache is started anew.
const coverCacheSize = 8192

// Plan is a compiled list of specs. A nil Plan masks nothing. A Plan is
// immutable and may be used by many sessions at once.
type Plan struct {
	specs  []Spec
	globs  [][]glob // by spec
	dets   []detSet // by spec
	hasher *hasher  // nil without a key
	values []*value // by spec: how a whole value is masked; nil where the spec names none
	fields []field  // of all specs, in order
	paths  *Paths   // of all specs, nil without

	columns bool     // a spec names columns
	global  wayTable // of the specs that name detectors only
	every   wayTable // of all specs with detectors that are about columns or any text
	large   scrubber // with global

	mu    sync.RWMutex
	cover map[sql.Column]int // index into specs, -1 for none
}

// Compile checks the specs and makes a plan of them. For a column, the first
// spec that names it wins, and for a detector the first spec that names it
// (of those that apply), so the particular comes before the general. The key
// is for WayHash and has KeySize bytes; with a nil key, WayHash redacts.
func Compile(specs []Spec, key []byte) (*Plan, error) {
	p := &Plan{specs: append([]Spec(nil), specs...), cover: map[sql.Column]int{}}
	if key != nil {
		if len(key) != KeySize {
			return nil, fmt.Errorf("mask key has %d bytes, it must have %d", len(key), KeySize)
		}
		p.hasher = newHasher(key)
	}
	for i := range p.specs {
		if err := p.add(i); err != nil {
			name := p.specs[i].Name
			if name == "" {
				name = fmt.Sprintf("#%d", i+1)
			}
			return nil, fmt.Errorf("mask %s: %w", name, err)
		}
	}
	p.finish()
	return p, nil
}

func (p *Plan) add(i int) error {
	s := &p.specs[i]
	if err := s.check(); err != nil {
		return err
	}
	if s.Way == "" {
		s.Way = WayRedact
	}
	if s.Predicates == "" {
		s.Predicates = PredicatesBlock
	}
	globs := make([]glob, len(s.Columns))
	for n, c := range s.Columns {
		g, err := parseGlob(c)
		if err != nil {
			return err
		}
		globs[n] = g
	}
	var set detSet
	for _, name := range s.Detectors {
		d, err := detectorByName(name)
		if err != nil {
			return err
		}
		set |= 1 << d
	}
	p.globs, p.dets = append(p.globs, globs), append(p.dets, set)
	p.columns = p.columns || len(globs) > 0
	if len(globs) == 0 && len(s.JSON) == 0 && len(s.Fields) == 0 {
		p.global.fill(set, s)
	}
	if len(globs) > 0 || len(s.JSON)+len(s.Fields) == 0 {
		p.every.fill(set, s)
	}
	return p.addNamed(i)
}

func (s *Spec) check() error {
	switch s.Way {
	case "", WayRedact, WayNull, WayPartial, WayHash, WayBase64, WayEmpty:
	default:
		return fmt.Errorf("unknown way %q: use redact, null, partial, hash, base64 or empty", s.Way)
	}
	switch s.Predicates {
	case "", PredicatesBlock, PredicatesAllow:
	default:
		return fmt.Errorf("unknown predicates %q: use block or allow", s.Predicates)
	}
	if s.KeepFirst < 0 || s.KeepLast < 0 {
		return fmt.Errorf("keep_first and keep_last must not be negative")
	}
	if (s.KeepFirst > 0 || s.KeepLast > 0) && s.Way != WayPartial {
		return fmt.Errorf("keep_first and keep_last need the way partial")
	}
	switch s.Opaque {
	case "", OpaqueBlock, OpaqueAllow:
	default:
		return fmt.Errorf("unknown opaque %q: use block or allow", s.Opaque)
	}
	if len(s.Columns)+len(s.Detectors)+len(s.JSON)+len(s.Fields) == 0 {
		return fmt.Errorf("it names neither columns nor detectors nor json nor fields, so it would mask nothing")
	}
	return nil
}

// Empty reports whether the plan masks nothing.
func (p *Plan) Empty() bool { return p == nil || len(p.specs) == 0 }

// HasColumns reports whether any spec names columns.
func (p *Plan) HasColumns() bool { return p != nil && p.columns }

// HasDetectors reports whether any spec has detectors.
func (p *Plan) HasDetectors() bool { return p != nil && p.every.set != 0 }

// Covers reports whether a spec names the column, and which: the first in the
// plan's order. Names are compared as they are, with regard to case. A part
// of c that is "" is not known, and is taken to match. The spec is the plan's
// own, not to be changed.
func (p *Plan) Covers(c sql.Column) (*Spec, bool) {
	i := p.coverIndex(c)
	if i < 0 {
		return nil, false
	}
	return &p.specs[i], true
}

// CoversAny is Covers for several columns: it gives the spec that is first in
// the plan's order, and the first column that this spec names.
func (p *Plan) CoversAny(cols []sql.Column) (*Spec, sql.Column, bool) {
	best, at := -1, 0
	for n, c := range cols {
		if i := p.coverIndex(c); i >= 0 && (best < 0 || i < best) {
			best, at = i, n
		}
	}
	if best < 0 {
		return nil, sql.Column{}, false
	}
	return &p.specs[best], cols[at], true
}

func (p *Plan) coverIndex(c sql.Column) int {
	if !p.HasColumns() {
		return -1
	}
	p.mu.RLock()
	i, ok := p.cover[c]
	p.mu.RUnlock()
	if ok {
		return i
	}
	i = p.find(c)
	c = sql.Column{Schema: strings.Clone(c.Schema), Table: strings.Clone(c.Table), Name: strings.Clone(c.Name)}
	p.mu.Lock()
	if len(p.cover) >= coverCacheSize {
		clear(p.cover)
	}
	p.cover[c] = i
	p.mu.Unlock()
	return i
}

func (p *Plan) find(c sql.Column) int {
	for i, globs := range p.globs {
		for g := range globs {
			if globs[g].match(c) {
				return i
			}
		}
	}
	return -1
}

// wayTable says for each detector which spec's way its matches get.
type wayTable struct {
	set  detSet
	spec [detCount]*Spec
}

// fill adds detectors that the table does not have yet.
func (w *wayTable) fill(set detSet, s *Spec) {
	for d := detector(0); d < detCount; d++ {
		if set.has(d) && !w.set.has(d) {
			w.set |= 1 << d
			w.spec[d] = s
		}
	}
}
