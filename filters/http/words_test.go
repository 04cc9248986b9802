package http

import (
	"math"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/policy"
)

// TestNoWords: what cannot be written down does not pass, neither at once nor to people, alone nor in a batch; it is recorded
// that it was there.
func TestNoWords(t *testing.T) {
	spoil := func(m map[string]any) { m["size"] = math.NaN() }
	for name, c := range map[string]struct {
		body string
		do   func(s *stream)
	}{
		"passing":   {"", func(s *stream) { s.d.Verdict = policy.Allow; spoil(s.action.Features); s.forward() }},
		"holding":   {"", func(s *stream) { s.d.Verdict = policy.Hold; spoil(s.action.Features); s.hold() }},
		"refused":   {"", func(s *stream) { spoil(s.action.Features); s.refuse(blockedBy(&s.d)) }},
		"a batch":   {"[" + mcpPing + "," + mcpCall + "]", func(s *stream) { spoil(s.rpc.list[1].action.Features); s.forward() }},
		"a message": {mcpPing, func(s *stream) { spoil(s.action.Features); s.forward() }},
	} {
		method := "GET"
		if c.body != "" {
			method = "POST"
		}
		tg := mcpTarget(t)
		s := pass(t, tg, mcpHead(method, "x"), c.body)
		if c.body == "" {
			s.rpc = nil
		}
		if s.rpc != nil { // as if it had not been asked yet
			for _, m := range s.rpc.list {
				s.rpc.conv.Forget(m.ID)
			}
		}
		h := newHost()
		s.host, s.ordinal, s.phase, s.hook, s.pass, s.finished = h, 0, gathering, true, false, false
		c.do(s)
		if s.phase != refused || s.pass || h.continued > 0 || len(h.codes) != 1 {
			t.Errorf("%s: phase %d, %v %v", name, s.phase, h.codes, h.replies)
			continue
		}
		if s.ordinal == 0 || name != "refused" && s.d.Rule != "http.record" || !slices.Equal(h.codes, []int{503}) && name != "refused" && s.rpc == nil {
			t.Errorf("%s: %d %v %+v", name, s.ordinal, h.codes, s.d)
		}
		if strings.Contains(strings.Join(h.replies, ""), `"result"`) {
			t.Error(name, h.replies)
		}
	}
}
