package backtest

import (
	"encoding/json"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
)

// payload is a record.ActionPayload as far as it is compared. It is not changed once decoded.
type payload struct {
	Action   action.Action `json:"action"`
	Decision decision      `json:"decision"`
}

type decision struct {
	Verdict   policy.Verdict `json:"verdict"`
	Rule      string         `json:"rule"`
	Reason    string         `json:"reason"`
	Approvers []string       `json:"approvers"`
	Quorum    int            `json:"quorum"`
	// Mask stays as it is: there are few different ones.
	Mask json.RawMessage `json:"mask"`
}

// Bounds of what a decoder keeps: prepared statements that run again have the same payload.
const (
	keepPayloads = 1024
	keepPayload  = 16 << 10
)

type decoder struct{ kept map[string]*payload }

func newDecoder() decoder { return decoder{map[string]*payload{}} }

// decode returns nil for what is no payload.
func (d decoder) decode(b []byte) *payload {
	if p, ok := d.kept[string(b)]; ok {
		return p
	}
	p := &payload{}
	if err := json.Unmarshal(b, p); err != nil {
		return nil
	}
	if len(b) <= keepPayload {
		if len(d.kept) >= keepPayloads {
			clear(d.kept)
		}
		d.kept[string(b)] = p
	}
	return p
}
