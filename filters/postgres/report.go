package postgres

import (
	"bytes"
	"strconv"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/mask"
)

// report passes an error or notice on: its position corrected for our comment,
// its text scrubbed when masks are in force. e is the entry that it answers, or nil.
func (c *conn) report(m *wire.Piece, e *entry) {
	if !m.Whole() {
		// A report of megabytes: without masks it passes, with them it is left out.
		c.relay.answer.drop = c.relay.plan != nil
		c.relay.answer.action = 0
		if !c.relay.answer.drop {
			c.s.Respond(0, m.Raw)
		}
		return
	}
	if e == nil {
		e = c.relay.queue.front()
	}
	var action uint64
	plan, prefix := c.relay.plan, 0
	clean := false
	if e != nil {
		if e.internal && e.portal == nil {
			return // about our own housekeeping
		}
		action, prefix = e.action, e.prefix
		if run := c.currentRun(e); e.kind == eQuery && run != nil {
			action, plan, clean = run.ordinal, orPlan(run.plan, plan), c.clean(e, run)
		} else if e.portal != nil && e.portal.run != nil {
			plan = orPlan(e.portal.run.plan, plan)
			clean = (e.kind == eExecute || e.kind == eBind) && c.clean(e, e.portal.run)
		}
	}
	raw := m.Raw
	if prefix > 0 && wire.Field(m.Body, wire.FieldPosition) != nil {
		raw = shiftPosition(m, prefix)
	}
	if plan != nil {
		raw = c.scrub(plan, raw, clean)
	}
	c.s.Respond(action, raw)
}

func orPlan(a, b *mask.Plan) *mask.Plan {
	if a != nil {
		return a
	}
	return b
}

// shiftPosition corrects the cursor position for our comment.
func shiftPosition(m *wire.Piece, prefix int) []byte {
	return wire.RewriteFields(nil, m.Type, m.Body, func(code byte, v []byte) ([]byte, bool) {
		if code != wire.FieldPosition {
			return v, true
		}
		n, err := strconv.Atoi(string(v))
		if err != nil || n <= prefix {
			return v, err == nil && n > 0
		}
		return strconv.AppendInt(nil, int64(n-prefix), 10), true
	})
}

// scrub takes out of a report what may quote data: of a clean one, only what the detectors find.
func (c *conn) scrub(plan *mask.Plan, raw []byte, clean bool) []byte {
	body := raw[5:]
	get := func(f byte) string { return string(wire.Field(body, f)) }
	n := mask.Notice{Code: get('C'), Message: get('M'), Detail: get('D'), Hint: get('H'), Position: get('P'),
		InternalPosition: get('p'), InternalQuery: get('q'), Where: get('W'), File: get('F')}
	changed := false
	if clean {
		for _, f := range [...]*string{&n.Message, &n.Detail, &n.Hint, &n.Where, &n.InternalQuery} {
			if out, hits := plan.Scrub(nil, []byte(*f)); hits > 0 {
				*f, changed = string(out), true
			}
		}
	} else if raw[0] == wire.ErrorResponse {
		changed = plan.ScrubError(&n, c.isIdentifier)
	} else {
		changed = plan.ScrubNotice(&n, c.isIdentifier)
	}
	if !changed {
		return raw
	}
	seen := map[byte]bool{}
	values := map[byte]string{'C': n.Code, 'M': n.Message, 'D': n.Detail, 'H': n.Hint, 'P': n.Position,
		'p': n.InternalPosition, 'q': n.InternalQuery, 'W': n.Where, 'F': n.File}
	// A hint that scrubbing adds has no field yet: it is put before the end.
	out := wire.RewriteFields(nil, raw[0], body, func(code byte, v []byte) ([]byte, bool) {
		seen[code] = true
		s, ours := values[code]
		if !ours {
			return v, true
		}
		return []byte(s), s != ""
	})
	if n.Hint != "" && !seen['H'] {
		extra := append(append([]byte{'H'}, n.Hint...), 0, 0)
		out = wire.AppendMessage(nil, raw[0], append(out[5:len(out)-1:len(out)-1], extra...))
	}
	return out
}

// scrubAside runs the detectors over what comes beside results: values of
// parameters and payloads of notifications. Where columns are masked, nobody
// knows of which ones a payload was made (by a trigger, say), so it is hidden.
func scrubAside(plan *mask.Plan, m *wire.Piece) []byte {
	mk := plan.Masker(nil, false, m.Type == wire.NotificationResponse, mask.TextType)
	if mk == nil {
		return m.Raw
	}
	head, rest := []byte(nil), m.Body
	if m.Type == wire.NotificationResponse && len(rest) >= 4 {
		head, rest = rest[:4], rest[4:]
	}
	i := bytes.IndexByte(rest, 0)
	if i < 0 || len(rest) < i+2 {
		return m.Raw
	}
	value := rest[i+1 : len(rest)-1]
	if len(value) == 0 {
		return m.Raw
	}
	out, null, changed := mk.Text(nil, value)
	if !changed {
		return m.Raw
	}
	if null {
		out = nil
	}
	body := append(append([]byte(nil), head...), rest[:i+1]...)
	return wire.AppendMessage(nil, m.Type, append(append(body, out...), 0))
}
