package statement

import (
	"encoding/json"
	"sync"

	"dragoman.dev/dragoman/internal/mask"
)

// Plans keeps the compiled mask plans of a target. Its zero value is ready; it is safe for concurrent use.
type Plans struct {
	mu sync.Mutex
	m  map[string]*mask.Plan
}

// maxPlans bounds the cache of mask plans.
const maxPlans = 256

// Get compiles mask specs, or finds them compiled. key is for hashes; empty is none.
func (t *Plans) Get(specs []mask.Spec, key []byte) (*mask.Plan, error) {
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
	p, err := mask.Compile(specs, key)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.m[id]; old != nil {
		return old, nil
	}
	if t.m == nil || len(t.m) >= maxPlans {
		t.m = map[string]*mask.Plan{}
	}
	t.m[id] = p
	return p, nil
}

func planID(specs []mask.Spec, key []byte) string {
	b, err := json.Marshal(specs)
	if err != nil {
		return ""
	}
	return string(key) + string(b)
}
