package audit

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// mutations is how many random ones are tried; AUDIT_MUTATIONS changes it.
const mutations = 1000

// TestRandomMutations changes the files of a store in random ways, one at a time. Every change of
// what is proven is found, and nothing is found where nothing was changed. Not proven are: what a running session's
// file has behind its newest entry in the log, and leftover tiles of older sizes.
func TestRandomMutations(t *testing.T) {
	n := mutations
	if s := os.Getenv("AUDIT_MUTATIONS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		must(t, err)
	}
	x := newExhibit(t)
	x.mustVerify(t)
	paths := x.evidence(t)
	seed := rand.Uint64()
	t.Logf("seed %d, %d files, %d entries", seed, len(paths), x.size(t))
	rng := rand.New(rand.NewPCG(seed, 1))
	found := map[string]int{}
	for done := 0; done < n; {
		m := mutate(t, rng, x, paths)
		if m == nil {
			continue
		}
		done++
		pub, kept := pubOf(x.keyB), []byte(nil)
		if done%3 == 0 {
			pub, kept = pubOf(x.keyA), x.kept[done%len(x.kept)]
		}
		if ok, _ := x.verify(t, x.dir, pub, kept); ok {
			t.Errorf("not found: %s", m.what)
		}
		found[m.kind]++
		m.undo(t)
		if done%100 == 0 {
			x.mustVerify(t)
		}
	}
	x.mustVerify(t)
	t.Logf("found: %v", found)
}

type mutation struct {
	kind, what string
	before     map[string][]byte
}

func (m *mutation) undo(t testing.TB) {
	for p, b := range m.before {
		must(t, os.WriteFile(p, b, 0o600))
	}
}

// mutate does one random change. It returns nil when nothing was changed that is proven.
func mutate(t testing.TB, rng *rand.Rand, x *exhibit, paths []string) *mutation {
	path := paths[rng.IntN(len(paths))]
	b := readFile(t, path)
	m := &mutation{before: map[string][]byte{path: b}}
	rel, _ := filepath.Rel(x.dir, path)
	var after []byte
	switch k := rng.IntN(10); k {
	case 0:
		m.kind, m.what = "remove", "remove "+rel
		must(t, os.Remove(path))
		return m
	case 1:
		other := paths[rng.IntN(len(paths))]
		c := readFile(t, other)
		if bytes.Equal(b, c) || bytes.HasPrefix(b, c) || bytes.HasPrefix(c, b) {
			return nil
		}
		m.before[other] = c
		m.kind, m.what = "swap files", "swap "+rel+" with "+other
		must(t, os.WriteFile(path, c, 0o600))
		must(t, os.WriteFile(other, b, 0o600))
		return m
	default:
		m.kind, after = edit(rng, k, b)
	}
	if bytes.Equal(after, b) || (filepath.Ext(path) == liveExt && bytes.HasPrefix(after, b)) {
		return nil
	}
	m.what = m.kind + " in " + rel
	must(t, os.WriteFile(path, after, 0o600))
	return m
}

// edit changes some bytes.
func edit(rng *rand.Rand, k int, old []byte) (kind string, b []byte) {
	b = append([]byte{}, old...)
	if len(b) == 0 {
		return "append", randomBytes(rng, 1+rng.IntN(9))
	}
	i := rng.IntN(len(b))
	j := min(len(b), i+1+rng.IntN(200))
	switch k {
	case 2:
		return "truncate", b[:i]
	case 3:
		return "append", append(b, randomBytes(rng, 1+rng.IntN(99))...)
	case 4:
		return "cut out", append(b[:i:i], b[j:]...)
	case 5:
		return "insert", append(append(b[:i:i], randomBytes(rng, 1+rng.IntN(99))...), old[i:]...)
	case 6:
		return "repeat", append(append(b[:j:j], old[i:j]...), old[j:]...)
	case 7:
		clear(b[i:j])
		return "zero", b
	case 8:
		copy(b[i:j], randomBytes(rng, j-i))
		return "overwrite", b
	default:
		b[i] ^= 1 << rng.IntN(8)
		return "flip a bit", b
	}
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}
