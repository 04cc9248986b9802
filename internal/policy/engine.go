package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/sql"
)

// Names of rules that are not an author's.
const (
	RuleDefault     = "default"             // nothing allows it
	RulePolicyError = "policy-error"        // the policy could not be evaluated
	RuleNoPolicy    = "no-policy"           // there is no policy yet
	RulePredicate   = "masked-predicate"    // a masked column decides about rows
	RuleWrite       = "masked-write"        // a masked column would be copied
	RuleUnresolved  = "unresolved-masked"   // where a result comes from is not known
	RuleSideChannel = "masked-side-channel" // masked values may be read some other way
	RuleRename      = "masked-rename"       // masked columns would be known by another name
	RuleConflict    = "conflicting-holds"   // two holds that no group may approve
)

// Engine is one compiled policy. It is immutable but for its caches and safe for
// concurrent use; a nil Engine blocks.
type Engine struct {
	revision string
	query    rego.PreparedEvalQuery
	refs     refs
	budget   time.Duration
	log      *slog.Logger
	cache    cache
	paths    *pathKey
	plans    plans
}

// Revision is the bundle's.
func (e *Engine) Revision() string {
	if e == nil {
		return ""
	}
	return e.revision
}

// NeedsBody reports whether verdicts may depend on what a request's body holds, so
// that it has to be read before the request is judged. Without an engine it is true.
func (e *Engine) NeedsBody() bool { return e == nil || e.refs.body }

// Judge decides about one action. It never fails: what cannot be decided is
// blocked. st is the statement that the action was taken from, or nil where
// there is none; for SQL that returns rows under column masks, nil blocks.
// The Decision's slices are shared and must not be changed.
//
// A statement that runs another one (EXECUTE, FETCH) is judged with it: the
// caller sets Inner to the statement under that name (on a copy).
func (e *Engine) Judge(ctx context.Context, in *Input, st *sql.Statement) Decision {
	if e == nil || in == nil {
		return noPolicy()
	}
	return e.Session(in.Identity, in.Target, in.Session).Judge(ctx, &in.Action, st)
}

func noPolicy() Decision {
	return Decision{Rule: RuleNoPolicy, Reason: "no policy is in force; everything is refused",
		Hint: "try again later, or ask whoever runs this gateway"}
}

// Session is a judge for one session: what does not change is prepared once.
func (e *Engine) Session(id identity.Identity, target Target, session Session) *SessionJudge {
	h := &Handle{}
	h.Swap(e)
	return h.Session(id, target, session)
}

// Handle is what all sessions of a target share: the engine in force. The zero
// Handle blocks.
type Handle struct{ engine atomic.Pointer[Engine] }

// Swap puts e in force for all sessions, live ones too, from their next action on.
func (h *Handle) Swap(e *Engine) (old *Engine) { return h.engine.Swap(e) }

// Engine is the engine in force, or nil.
func (h *Handle) Engine() *Engine { return h.engine.Load() }

// Session is a judge for one session that follows the handle.
func (h *Handle) Session(id identity.Identity, target Target, session Session) *SessionJudge {
	return &SessionJudge{handle: h, identity: id, target: target, session: session}
}

// SessionJudge judges the actions of one session with the engine in force. It
// is safe for concurrent use.
type SessionJudge struct {
	handle   *Handle
	identity identity.Identity
	target   Target
	session  Session
	sitting  atomic.Pointer[sitting]
}

// sitting is what one engine needs to know of one session.
type sitting struct {
	engine *Engine
	prefix string // of the verdict's key
	static [][2]*ast.Term
	err    error
}

// Revision is the revision of the engine in force.
func (j *SessionJudge) Revision() string { return j.handle.Engine().Revision() }

// NeedsBody is that of the engine in force.
func (j *SessionJudge) NeedsBody() bool { return j.handle.Engine().NeedsBody() }

// Judge decides about one action, see Engine.Judge.
func (j *SessionJudge) Judge(ctx context.Context, a *action.Action, st *sql.Statement) Decision {
	e := j.handle.Engine()
	if e == nil || a == nil {
		return noPolicy()
	}
	s := j.sitting.Load()
	if s == nil || s.engine != e {
		s = e.sit(j.identity, j.target, j.session)
		j.sitting.Store(s)
	}
	return e.judge(ctx, s, a, st, 0)
}

// maxInner bounds how deep statements run others.
const maxInner = 4

func (e *Engine) judge(ctx context.Context, s *sitting, a *action.Action, st *sql.Statement, depth int) Decision {
	if s.err != nil {
		return e.failed(a, s.err)
	}
	en, err := e.decide(ctx, s, a)
	if err != nil {
		return e.failed(a, err)
	}
	d := en.decision
	if d.Verdict == Block {
		return d
	}
	if blocked := en.invariants(a, st); blocked != nil {
		blocked.Revision = e.revision
		return *blocked
	}
	if st == nil || st.Inner == nil {
		return d
	}
	if depth >= maxInner {
		return e.failed(a, errors.New("statements nested too deep"))
	}
	return stricter(d, e.judge(ctx, s, &st.Inner.Action, st.Inner, depth+1))
}

// decide takes the verdict from the cache or evaluates.
func (e *Engine) decide(ctx context.Context, s *sitting, a *action.Action) (*entry, error) {
	var stack, other [1024]byte
	var alike []byte // the key of all requests that the policy cannot tell apart
	if e.paths.stands(a) {
		if key, ok := e.appendKey(append(other[:0], s.prefix...), a, e.paths); ok {
			alike = append(key, 'a')
			if en := e.cache.get(alike); en != nil {
				return en, nil
			}
		}
	}
	key, ok := e.appendKey(append(stack[:0], s.prefix...), a, nil)
	if ok {
		if en := e.cache.get(key); en != nil {
			return en, nil
		}
	}
	en, err := e.evaluate(ctx, s, a)
	if topdown.IsCancel(err) && ctx.Err() == nil {
		// The budget is wall time: a machine that was busy elsewhere gets a second chance.
		en, err = e.evaluate(ctx, s, a)
	}
	switch {
	case err != nil || !ok:
	case alike != nil && en.decision.Rule != RuleDefault: // whose reason names the path
		e.cache.put(string(alike), en)
	default:
		e.cache.put(string(key), en)
	}
	return en, err
}

// failed is the decision when the policy could not be evaluated. The cause is logged, not told.
func (e *Engine) failed(a *action.Action, err error) Decision {
	e.log.Error("policy could not be evaluated", "revision", e.revision, "kind", a.Kind, "err", err)
	return Decision{
		Rule: RulePolicyError, Revision: e.revision,
		Reason: "the policy could not be evaluated, so the action is refused",
		Hint:   "ask whoever runs this gateway; its log has the cause",
	}
}

func (e *Engine) evaluate(ctx context.Context, s *sitting, a *action.Action) (en *entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			en, err = nil, fmt.Errorf("panic: %v", p)
		}
	}()
	res, err := e.ask(ctx, s, a)
	if err != nil {
		return nil, err
	}
	return e.entry(a, res)
}

// ask evaluates: what the rules say, before it is combined.
func (e *Engine) ask(ctx context.Context, s *sitting, a *action.Action) (res result, err error) {
	defer func() {
		if p := recover(); p != nil {
			res, err = result{}, fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, e.budget)
	defer cancel()
	input, err := inputValue(s, a)
	if err != nil {
		return result{}, fmt.Errorf("input: %w", err)
	}
	opts := []rego.EvalOption{rego.EvalParsedInput(input)}
	if t, ok := presentOf(ctx); ok {
		opts = append(opts, rego.EvalTime(t))
	}
	rs, err := e.query.Eval(ctx, opts...)
	if err != nil {
		return result{}, err
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return result{}, errors.New("the result is undefined")
	}
	return decodeResult(rs[0].Expressions[0].Value)
}

// stricter is the more restrictive of two decisions about the same action.
func stricter(a, b Decision) Decision {
	rank := func(v Verdict) int {
		switch v {
		case Allow:
			return 2
		case Hold:
			return 1
		}
		return 0
	}
	switch ra, rb := rank(a.Verdict), rank(b.Verdict); {
	case ra < rb:
		return a
	case rb < ra:
		return b
	case a.Verdict == Hold:
		return mergeHolds(a, b)
	case a.Verdict == Allow && a.Rule == BuiltinSession:
		return b
	}
	return a
}
