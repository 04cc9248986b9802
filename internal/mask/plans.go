package mask

import (
	"encoding/json"
	"sync"
)

// Plans keeps the compiled mask plans of a target. Its zero value is ready; it is safe for concurrent use.
type Plans struct {
	mu sync.Mutex
	m  map[string]*Plan
}

// maxPlans bounds the cache of mask plans.
const maxPlans = 256

// Get compiles mask specs, or finds them compiled. key is for hashes; empty is none.
func (t *Plans) Get(specs []Spec, key []byte) (*Plan, error) {
	id := planID(specs, key)
	t.mu.Lock()
	p := t.m[id]
	t.mu.Unlock()
	if p != nil {
		return p, nil
	}
	if len(key) == 0 {
		key = nil
	}
	p, err := Compile(specs, key)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.m[id]; old != nil {
		return old, nil
	}
	if t.m == nil || len(t.m) >= maxPlans {
		t.m = map[string]*Plan{}
	}
	t.m[id] = p
	return p, nil
}

func planID(specs []Spec, key []byte) string {
	b, err := json.Marshal(specs)
	if err != nil {
		return ""
	}
	return string(key) + string(b)
}

// Last is a connection's own memory of the plan that it used last, before Plans: policy gives equal specs as the
// same slice. It is not safe for concurrent use.
type Last struct {
	Plans *Plans
	spec  *Spec
	n     int
	plan  *Plan
}

// Get is Plans.Get. There must be specs.
func (l *Last) Get(specs []Spec, key []byte) (*Plan, error) {
	if l.spec == &specs[0] && l.n == len(specs) {
		return l.plan, nil
	}
	p, err := l.Plans.Get(specs, key)
	if err == nil {
		l.spec, l.n, l.plan = &specs[0], len(specs), p
	}
	return p, err
}
