package postgres

import (
	"context"
	"dragoman.dev/dragoman/filters/statement"
	"maps"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql"
)

// judged is a statement with what policy says about it.
type judged struct {
	st     *sql.Statement // with Inner set where it runs another
	action action.Action  // as judged: with parameters and features of the moment
	d      policy.Decision
	plan   *mask.Plan
	// ordinal is the action's number once it is recorded.
	ordinal uint64
	sheet   *statement.Sheet // its record, made before; or nil
	moment  bool             // the action has features of the moment
}

// run is one execution of a judged statement, from its being forwarded to its result.
type run struct {
	*judged
	source  *sql.Statement // whose outputs come back: the statement, or the one that it runs
	started int64          // Unix nanoseconds
	rows    int64
	bytes   int64
	masked  int64
	over    bool
	columns *columns // of the result, nil before it is described
	shown   *columns // of which values were masked
}

// moment is what is true of a statement here and now, beside its text.
type moment struct {
	params     []action.Param
	multi      bool // one of several in its message
	unresolved bool // what its names mean is not certain
}

// decide judges a statement.
func (c *conn) decide(st *sql.Statement, m moment) *judged {
	j := &judged{st: st, action: st.Action}
	j.action.Params = m.params
	if j.action.Params == nil {
		j.action.Params = []action.Param{}
	}
	if m.multi {
		j.feature(action.FeatureMulti)
	}
	const named = sql.EffectPrepare | sql.EffectCursor | runsOther
	if st.Effects&named != 0 && !plainName(st.Name) || st.Effects&runsOther != 0 && st.Inner == nil {
		// What runs under that name is not known.
		m.unresolved = true
	}
	if m.unresolved && needsNames(st) {
		j.feature(action.FeatureUnresolved)
		j.st = blurred(st)
	}
	c.pass(j)
	return j
}

// pass has policy decide and prepares the masks that it asks for.
func (c *conn) pass(j *judged) {
	j.d = c.judge.Judge(context.Background(), &j.action, j.st)
	plan, err := j.d.Plan(&c.masks, c.s.Opened().MaskKey)
	if err != nil {
		c.t.rt.Log().Error("mask plan", "target", c.cfg.Target.Name, "error", err)
	}
	if j.plan = plan; plan != nil {
		c.relay.plan = plan
	}
	c.copyable(j)
}

// stands reports whether actions that have waited for people may still run: a policy that was pushed
// meanwhile can block them, and its masks are the ones that count. What it
// would hold is not held again.
func (c *conn) stands(list ...*judged) (*judged, bool) {
	for _, j := range list {
		if j.d.Revision == c.judge.Revision() {
			continue
		}
		if c.pass(j); j.d.Verdict == policy.Block {
			return j, false
		}
	}
	return nil, true
}

func (j *judged) feature(name string) {
	f := maps.Clone(j.action.Features)
	if f == nil {
		f = map[string]any{}
	}
	f[name] = true
	j.action.Features, j.moment = f, true
}

// needsNames reports whether the statement names anything that the catalog has.
func needsNames(st *sql.Statement) bool {
	a := &st.Action
	return len(a.Reads) > 0 || len(a.Writes) > 0 || len(a.Functions) > 0 || st.Effects&runsOther != 0 || st.Inner != nil && needsNames(st.Inner)
}

// blurred is the statement with outputs that nobody can vouch for.
func blurred(st *sql.Statement) *sql.Statement {
	b := *st
	b.Outputs = nil
	return &b
}

// announce records the action and its decision, before anything of it is forwarded.
func (c *conn) announce(j *judged) {
	var stack [256]byte
	if j.sheet == nil {
		if s := c.shape.sheetFor(j); s != nil {
			text := append(record.AppendString(stack[:0], j.action.Text), paramsName...)
			j.ordinal = c.s.Action(s.head, record.AppendParams(text, j.action.Params), s.tail)
			return
		}
		head, tail := statement.Payload(j.action, j.d)
		j.ordinal = c.s.Action(head, record.AppendParams(nil, j.action.Params), tail)
		return
	}
	j.ordinal = c.s.Action(j.sheet.Head, record.AppendParams(stack[:0], j.action.Params), j.sheet.Tail)
}

// start makes a run of a judged statement that is about to be forwarded.
func (c *conn) start(j *judged) *run {
	r := &run{judged: j, source: j.st, started: c.now().UnixNano()}
	if j.st.Inner != nil && j.st.Effects&(sql.EffectExecute|sql.EffectFetch) != 0 {
		r.source = j.st.Inner
	}
	if c.unsettling(j.st) {
		c.relay.unsettled++
	}
	return r
}

// finish records how a run ended, once.
func (c *conn) finish(r *run, status, code, message, tag string) {
	if r == nil || r.over {
		return
	}
	r.over = true
	c.s.Result(r.ordinal, record.Result{Status: status, Code: code, Message: message, Tag: tag, Rows: r.rows, Bytes: r.bytes,
		Masked: r.masked, Duration: durationSince(c.now(), r.started), MaskedColumns: r.shown.whole()})
}

// refused records an action that is not forwarded, and its end.
func (c *conn) refused(j *judged, status string, rep wire.Report) {
	if j.ordinal == 0 {
		c.announce(j)
	}
	c.s.Result(j.ordinal, record.Result{Status: status, Code: rep.Code, Message: rep.Message})
}
