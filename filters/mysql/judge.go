package mysql

import (
	"context"
	"maps"
	"reflect"
	"time"

	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sql"
)

// judged is a statement with what policy says about it.
type judged struct {
	st      *sql.Statement // with Inner set where it runs another
	action  action.Action  // as judged: with parameters and features of the moment
	d       policy.Decision
	plan    *mask.Plan
	moment  bool   // the action has features of the moment
	ordinal uint64 // the action's number once it is recorded
}

// run is one execution of a judged statement, from its being forwarded to its result.
type run struct {
	*judged
	source  *sql.Statement // whose outputs come back: the statement, or the one that it runs
	started time.Time
	rows    int64
	bytes   int64
	masked  int64
	over    bool
	extra   bool  // more results than were looked for: of this one nothing is known
	head    *head // of the result at hand
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
	if st.Effects&sql.EffectExecute != 0 && st.Inner == nil || m.unresolved && needsNames(st) {
		j.feature(action.FeatureUnresolved)
		b := *st
		b.Outputs = nil
		j.st = &b
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
		c.plan = plan
	}
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
	if len(a.Reads) > 0 || len(a.Writes) > 0 || st.Effects&sql.EffectExecute != 0 {
		return true
	}
	for i := range a.Functions {
		if a.Functions[i].Opaque {
			return true
		}
	}
	return st.Inner != nil && needsNames(st.Inner)
}

// announce records the action and its decision, before anything of it is forwarded.
func (c *conn) announce(j *judged) {
	if j.ordinal != 0 {
		return
	}
	var stack [256]byte
	params := record.AppendParams(stack[:0], j.action.Params)
	if m := c.remember(j.st); m != nil && !j.moment {
		m.sheet = statement.SheetFor(m.sheet, j.st, &j.action, &j.d)
		j.ordinal = c.s.Action(m.sheet.Head, params, m.sheet.Tail)
		return
	}
	head, tail := statement.Payload(j.action, j.d)
	j.ordinal = c.s.Action(head, params, tail)
}

// start makes a run of a judged statement that is about to be forwarded.
func (c *conn) start(j *judged) *run {
	r := &run{judged: j, source: j.st, started: c.now()}
	if j.st.Inner != nil && j.st.Effects&sql.EffectExecute != 0 {
		r.source = j.st.Inner
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
		Masked: r.masked, Duration: c.now().Sub(r.started), MaskedColumns: r.whole()})
}

// whole are the columns that were masked whatever their values, as record.Result names them.
func (r *run) whole() string {
	if r.masked == 0 || r.head == nil {
		return ""
	}
	return mask.WholeColumns(len(r.head.cols), func(i int) *mask.Masker { return r.head.cols[i].Mask })
}

// refused records an action that is not forwarded, and its end.
func (c *conn) refused(j *judged, status string, e *wire.Error) {
	c.announce(j)
	c.s.Result(j.ordinal, record.Result{Status: status, Code: e.State, Message: e.Message})
}

// stands reports whether actions that have waited for people may still run: a policy that was pushed meanwhile can
// block them, and its masks are the ones that count. What it would hold is not held again.
func (c *conn) stands(list []*judged) (*judged, bool) {
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

// sameMeaning reports whether two analyses of one text found the same.
func sameMeaning(a, b *judged) bool {
	return reflect.DeepEqual(a.action.Features, b.action.Features) && statement.Same(a.st, b.st)
}
