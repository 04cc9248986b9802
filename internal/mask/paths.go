package mask

import "fmt"

// Paths follow all JSON paths of a plan at once through a document. A place in the
// document is a Place; it is immutable for its user and may be kept.
type Paths struct {
	steps []position
	roots []int // positions at which paths begin
	root  Named // a path that is "$" alone
}

// position is one step of a path. When it is the path's last, value is what
// masks the values that it selects.
type position struct {
	step
	last  bool
	value *value
}

// Place says which steps may come next, one bit a position.
type Place []uint64

func (p *Paths) add(path *JSONPath, v *value) error {
	if len(path.steps) == 0 {
		if p.root.v == nil {
			p.root = Named{v}
		}
		return nil
	}
	if len(p.steps)+len(path.steps) > maxPositions {
		return fmt.Errorf("all JSON paths together have more than %d steps", maxPositions)
	}
	p.roots = append(p.roots, len(p.steps))
	for i, s := range path.steps {
		p.steps = append(p.steps, position{step: s, last: i == len(path.steps)-1, value: v})
	}
	return nil
}

// Words is how many words a Place has.
func (p *Paths) Words() int { return (len(p.steps) + 63) / 64 }

// Root sets to to the document's place; by is what masks the whole document.
func (p *Paths) Root(to Place) (by Named) {
	clear(to)
	for _, i := range p.roots {
		to[i/64] |= 1 << (i % 64)
	}
	return p.root
}

// Member sets to to the place of a member of the object at place at, and
// gives what masks it: the first spec in the plan's order.
func (p *Paths) Member(at, to Place, name []byte) (by Named) { return p.child(at, to, name, -1) }

// Element is Member for an element of the list at place at.
func (p *Paths) Element(at, to Place, index int) (by Named) { return p.child(at, to, nil, index) }

func (p *Paths) child(at, to Place, name []byte, index int) (by Named) {
	clear(to)
	for w, bits := range at {
		for bit := 0; bits != 0; bit++ {
			if bits&1 != 0 {
				p.follow(w*64+bit, to, name, index, &by)
			}
			bits >>= 1
		}
	}
	return by
}

func (p *Paths) follow(i int, to Place, name []byte, index int, by *Named) {
	s := &p.steps[i]
	if s.descendant {
		to[i/64] |= 1 << (i % 64)
	}
	hit := index >= 0 && s.index(index) || index < 0 && s.name(name)
	switch {
	case !hit:
	case !s.last:
		to[(i+1)/64] |= 1 << ((i + 1) % 64)
	case by.v == nil || s.value.index < by.v.index:
		*by = Named{s.value}
	}
}
