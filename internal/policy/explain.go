package policy

import (
	"context"

	"dragoman.dev/dragoman/internal/sql"
)

// Said is what one rule says about an action: one that matched.
type Said struct {
	Rule    string  `json:"rule"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"`
	Builtin bool    `json:"builtin,omitempty"`
	// Verbs, Reads and Writes are the part of the action that it speaks for; Whole: all of it.
	Whole  bool     `json:"whole,omitempty"`
	Verbs  []string `json:"verbs,omitempty"`
	Reads  []string `json:"reads,omitempty"`
	Writes []string `json:"writes,omitempty"`
}

// Explanation is a decision with how it came about.
type Explanation struct {
	Decision Decision `json:"decision"`
	// Said is by the rules that matched, in their order. The strictest wins; a rule of the decision that is not
	// among them is the engine's own (default, masked-predicate …).
	Said []Said `json:"said"`
}

// Explain is Judge, with what each rule says. It is for people; it costs an evaluation more.
func (e *Engine) Explain(ctx context.Context, in *Input, st *sql.Statement) Explanation {
	out := Explanation{Decision: e.Judge(ctx, in, st), Said: []Said{}}
	if e == nil || in == nil {
		return out
	}
	s := e.sit(in.Identity, in.Target, in.Session)
	if s.err != nil {
		return out
	}
	res, err := e.ask(ctx, s, &in.Action)
	if err != nil {
		return out // the decision says so
	}
	for _, c := range res.candidates {
		one := Said{Rule: c.rule, Verdict: c.verdict, Reason: c.reason, Builtin: c.builtin, Whole: c.covers == nil}
		if c.covers != nil {
			one.Verbs, one.Reads, one.Writes = c.covers.verbs, joined(c.covers.reads), joined(c.covers.writes)
		}
		out.Said = append(out.Said, one)
	}
	return out
}

func joined(pairs [][2]string) (out []string) {
	for _, p := range pairs {
		if p[0] == "" {
			out = append(out, p[1])
			continue
		}
		out = append(out, p[0]+"."+p[1])
	}
	return out
}
