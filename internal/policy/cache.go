package policy

import (
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"slices"
	"sync"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
)

// Bounds of an engine's verdict cache: at most 16 × 256 verdicts with keys of
// 8 KiB. It dies with the engine, so a verdict never outlives a push.
const (
	shards   = 16
	perShard = 256
	maxKey   = 8 << 10
)

// entry is what was decided about a kind of action, and what the invariants need.
type entry struct {
	decision Decision
	features []string // dangerous features that a rule has allowed by name
	plan     *plan
}

type cache struct {
	seed   maphash.Seed
	shards [shards]struct {
		sync.RWMutex
		m map[string]*entry
	}
}

func (c *cache) init() {
	c.seed = maphash.MakeSeed()
	for i := range c.shards {
		c.shards[i].m = map[string]*entry{}
	}
}

func (c *cache) get(key []byte) *entry {
	s := &c.shards[maphash.Bytes(c.seed, key)%shards]
	s.RLock()
	en := s.m[string(key)]
	s.RUnlock()
	return en
}

func (c *cache) put(key string, en *entry) {
	s := &c.shards[maphash.String(c.seed, key)%shards]
	s.Lock()
	defer s.Unlock()
	if len(s.m) >= perShard {
		for k := range s.m { // any one
			delete(s.m, k)
			break
		}
	}
	s.m[key] = en
}

// appendKey appends the action in a form that is equal for actions that this
// policy cannot tell apart, and different otherwise: the parts in a fixed
// order, every string and list with its length. False means that the verdict must
// not be kept.
//
// With paths, which is nil or the engine's, the names of objects are left to it.
func (e *Engine) appendKey(b []byte, a *action.Action, paths *pathKey) ([]byte, bool) {
	if e.refs.clock || e.refs.text && len(a.Text) > maxKey {
		return nil, false
	}
	b = appendStrings(appendString(b, a.Kind), a.Verbs)
	b = appendObjects(appendObjects(b, a.Reads, paths), a.Writes, paths)
	b = binary.AppendUvarint(b, uint64(len(a.Functions)))
	for i := range a.Functions {
		f := &a.Functions[i]
		b = appendString(appendString(appendString(b, f.Schema), f.Name), f.Volatility)
		b = appendBool(b, f.Opaque)
	}
	b, ok := appendFeatures(b, a.Features)
	if e.refs.text {
		b = appendString(b, a.Text)
	}
	if e.refs.fingerprint {
		b = appendString(b, a.Fingerprint)
	}
	if e.refs.params {
		b = binary.AppendUvarint(b, uint64(len(a.Params)))
		for i := range a.Params {
			p := &a.Params[i]
			b = appendBool(appendString(appendString(appendString(b, p.Name), p.Value), p.Encoding), p.Null)
		}
	}
	return b, ok && len(b) <= maxKey
}

func appendFeatures(b []byte, features map[string]any) ([]byte, bool) {
	var stack [16]string
	names := stack[:0]
	for k := range features {
		names = append(names, k)
	}
	slices.Sort(names)
	b = binary.AppendUvarint(b, uint64(len(names)))
	for _, k := range names {
		b = appendString(b, k)
		switch v := features[k].(type) {
		case bool:
			b = appendBool(append(b, 'b'), v)
		case string:
			b = appendString(append(b, 's'), v)
		default:
			j, err := json.Marshal(v)
			if err != nil {
				return b, false
			}
			b = appendString(append(b, 'j'), string(j))
		}
	}
	return b, true
}

func appendObjects(b []byte, in []action.Object, paths *pathKey) []byte {
	b = binary.AppendUvarint(b, uint64(len(in)))
	for i := range in {
		o := &in[i]
		b = appendString(b, o.Schema)
		if paths != nil {
			b = paths.append(b, o.Name)
		} else {
			b = appendString(b, o.Name)
		}
		b = appendBool(b, o.Resolved)
		b = appendStrings(b, o.Columns)
	}
	return b
}

func appendStrings(b []byte, in []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(in)))
	for _, s := range in {
		b = appendString(b, s)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// maxPlans bounds the mask plans of one engine; more specs than that are
// compiled each time.
const maxPlans = 1024

// plans keeps the compiled mask plans by their specs.
type plans struct {
	mu sync.Mutex
	m  map[string]*plan
}

// of returns the plan of specs. Equal specs have the same plan, with the same slice.
func (p *plans) of(specs []mask.Spec) (*plan, error) {
	key, err := json.Marshal(specs)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl, ok := p.m[string(key)]; ok {
		return pl, nil
	}
	pl, err := newPlan(specs)
	if err != nil {
		return nil, err
	}
	if p.m == nil {
		p.m = map[string]*plan{}
	}
	if len(p.m) < maxPlans {
		p.m[string(key)] = pl
	}
	return pl, nil
}
