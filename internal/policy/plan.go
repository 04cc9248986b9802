package policy

import "dragoman.dev/dragoman/internal/mask"

// Planner compiles mask specs: *mask.Plans, or *mask.Last for one connection.
type Planner interface {
	Get(specs []mask.Spec, key []byte) (*mask.Plan, error)
}

// Plan gives the compiled masks of a decision, nil when it has none. With an error the decision has become one that
// blocks: what cannot be masked as policy says does not pass.
func (d *Decision) Plan(from Planner, key []byte) (*mask.Plan, error) {
	if len(d.Mask) == 0 {
		return nil, nil
	}
	p, err := from.Get(d.Mask, key)
	if err != nil {
		*d = Decision{Rule: "mask-plan", Reason: "The policy's masks cannot be applied.", Revision: d.Revision}
		return nil, err
	}
	return p, nil
}
