package pgsql

import (
	"hash/maphash"
	"slices"
	"sync"

	"dragoman.dev/dragoman/internal/sql"
)

// Analyzer is Analyze with a cache: by exact text, and for plain statements by
// shape. It is safe for concurrent use and bounded.
type Analyzer struct {
	seed   maphash.Seed
	shards [16]shard
}

// maxCachedText bounds what one entry holds on to.
const maxCachedText = 16 << 10

// shard is a two-generation cache: what the young generation lacks and the old
// one has is moved over; when the young one is full it becomes the old one.
type shard struct {
	mu         sync.Mutex
	max        int
	young, old map[uint64]*entry
}

type entry struct {
	shape   bool
	text    string // the text, or the shape
	version uint64 // the catalog's; the catalog itself is not held on to
	path    []string
	user    string
	strings bool
	stmts   []*sql.Statement
}

func newEntry(shape bool, text string, env Env, stmts []*sql.Statement) *entry {
	return &entry{shape, text, env.Catalog.Version(), slices.Clone(env.Path), env.User, env.Strings, stmts}
}

// is compares all but the text: a hash that collides is a miss.
func (e *entry) is(shape bool, env Env) bool {
	return e.shape == shape && e.version == env.Catalog.Version() && e.user == env.User &&
		e.strings == env.Strings && slices.Equal(e.path, env.Path)
}

// NewAnalyzer makes one that keeps about max texts and shapes.
func NewAnalyzer(max int) *Analyzer {
	a := &Analyzer{seed: maphash.MakeSeed()}
	for i := range a.shards {
		a.shards[i] = shard{max: max/(2*len(a.shards)) + 1, young: map[uint64]*entry{}, old: map[uint64]*entry{}}
	}
	return a
}

// Analyze is as the function Analyze. The statements are shared: do not change them.
func (a *Analyzer) Analyze(text string, env Env) ([]*sql.Statement, error) {
	if len(text) > maxCachedText {
		return Analyze(text, env)
	}
	key := a.hash(maphash.String(a.seed, text), env)
	if e := a.find(key); e != nil && e.text == text && e.is(false, env) {
		return e.stmts, nil
	}
	var buf [1024]byte
	shape, plain := AppendShape(buf[:0], text)
	var shapeKey uint64
	if plain {
		shapeKey = ^a.hash(maphash.Bytes(a.seed, shape), env)
		if e := a.find(shapeKey); e != nil && e.text == string(shape) && e.is(true, env) {
			return []*sql.Statement{reword(e.stmts[0], text)}, nil
		}
	}
	out, err := Analyze(text, env)
	if err != nil {
		return nil, err
	}
	if plain && len(out) == 1 && out[0].ShapeKey != "" {
		a.put(shapeKey, newEntry(true, out[0].ShapeKey, env, out))
	}
	a.put(key, newEntry(false, text, env, out))
	return out, nil
}

// reword is the statement for another text of its shape.
func reword(st *sql.Statement, text string) *sql.Statement {
	out := *st
	out.Start, out.End = leading(text), trailing(text)
	out.Action.Text = text[out.Start:out.End]
	return &out
}

// hash adds the environment to the hash of a text or shape.
func (a *Analyzer) hash(sum uint64, env Env) uint64 {
	mix := func(n uint64) { sum = (sum ^ n) * 0x9e3779b97f4a7c15 }
	mix(env.Catalog.Version())
	mix(maphash.String(a.seed, env.User))
	for _, s := range env.Path {
		mix(maphash.String(a.seed, s))
	}
	return sum ^ sum>>32
}

// find returns the entry under a hash; whether it is the one meant, the caller must see.
func (a *Analyzer) find(key uint64) *entry {
	s := &a.shards[key%uint64(len(a.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.young[key]
	if e == nil {
		if e = s.old[key]; e != nil {
			s.add(key, e)
		}
	}
	return e
}

func (a *Analyzer) put(key uint64, e *entry) {
	s := &a.shards[key%uint64(len(a.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(key, e)
}

func (s *shard) add(key uint64, e *entry) {
	if len(s.young) >= s.max {
		s.young, s.old = make(map[uint64]*entry, s.max), s.young
	}
	s.young[key] = e
}
