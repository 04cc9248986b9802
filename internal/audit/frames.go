package audit

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit/index"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// maxText bounds what the index keeps of an action's text; the record has all of it.
const maxText = 4096

type actionKey struct {
	session string
	ordinal uint64
}

// ops are the index changes of one batch. All are idempotent: frames may be indexed again.
type ops struct {
	batch   index.Batch
	actions map[actionKey]int // places in the batch
	decoder *record.ActionDecoder
}

func (o *ops) action(session string, ordinal uint64) *index.Change {
	k := actionKey{session, ordinal}
	at, ok := o.actions[k]
	if !ok {
		if o.actions == nil {
			o.actions = map[actionKey]int{}
		}
		at = len(o.batch.Actions)
		o.actions[k] = at
		o.batch.Actions = append(o.batch.Actions, index.Change{Session: session, Ordinal: ordinal})
	}
	return &o.batch.Actions[at]
}

// frame indexes one frame. A payload that cannot be decoded is counted: the record is what
// matters, and it must not be refused for the index's sake.
func (o *ops) frame(l *session, f record.Frame) error {
	var err error
	switch f.Kind {
	case record.KindOpen:
		err = o.open(l, f)
	case record.KindAction:
		err = o.decision(l, f)
	case record.KindHold:
		var h hold.Hold
		if err = json.Unmarshal(f.Payload, &h); err == nil && f.Action > 0 {
			o.hold(l, f.Action, &h)
		}
	case record.KindResult:
		var r record.Result
		if err = record.DecodeResult(f.Payload, &r); err == nil {
			l.row.Rows += r.Rows
			l.row.Bytes += r.Bytes
			l.row.Masked += r.Masked
			r.Message, r.Status, r.Code, r.Tag = bounded(r.Message), bounded(r.Status), bounded(r.Code), bounded(r.Tag)
			o.action(l.id, f.Action).Result = &r
		}
	case record.KindClose:
		var c record.Close
		if err = json.Unmarshal(f.Payload, &c); err == nil {
			l.row.Reason, l.row.Message = bounded(c.Reason), bounded(c.Message)
		}
		l.row.Ended, l.row.Lost = f.Time, f.Recovered
	}
	if err != nil {
		l.row.Undecoded++
	}
	return nil
}

func (o *ops) open(l *session, f record.Frame) error {
	r := &l.row
	r.Started = f.Time
	var p record.Open
	if err := json.Unmarshal(f.Payload, &p); err != nil {
		return err
	}
	r.Target, r.Protocol = bounded(p.Target.Name), bounded(p.Target.Protocol)
	r.Subject, r.OnBehalfOf = bounded(p.Identity.Subject), bounded(p.Identity.OnBehalfOf)
	r.Actors, r.Groups = allBounded(p.Identity.Actors), allBounded(p.Identity.Groups)
	r.Issuer, r.Method = bounded(p.Identity.Issuer), bounded(p.Identity.Method)
	r.Client, r.Application = bounded(p.Session.Client), bounded(p.Session.Application)
	r.Database, r.User = bounded(p.Session.Database), bounded(p.Session.User)
	if r.Node == "" {
		r.Node = p.Node
	}
	for _, a := range identities(p.Identity) {
		o.fact(l, index.Actor, a)
	}
	o.fact(l, index.Target, r.Target)
	return nil
}

// identities are all that an identity acts through.
func identities(who identity.Identity) []string { return append(slices.Clone(who.Actors), who.Subject) }

func (o *ops) decision(l *session, f record.Frame) error {
	var p record.ActionPayload
	err := o.decoder.Decode(f.Payload, &p)
	l.row.Actions++
	switch p.Decision.Verdict {
	case policy.Allow:
		l.row.Allowed++
	case policy.Hold:
		l.row.Held++
	default:
		l.row.Blocked++
	}
	shape := o.shape(l, &p)
	a := &index.Action{Session: l.id, Ordinal: f.Action, Time: f.Time, Kind: bounded(p.Action.Kind),
		Verdict: p.Decision.Verdict.String(), Rule: bounded(p.Decision.Rule), Reason: bounded(p.Decision.Reason),
		Verbs: shape.verbs, Tables: shape.tables, Fingerprint: bounded(p.Action.Fingerprint), Text: bounded(p.Action.Text)}
	o.fact(l, index.Verdict, a.Verdict)
	o.text(l, p.Action.Text)
	o.action(l.id, f.Action).Base = a
	return err
}

// shape is what a session's actions have in common that differ in text and parameters only.
type shape struct {
	first         *action.Object // of those that it was made from
	verbs, tables []string
}

// shape gives the session's last shape, when the decoder found this action to be of it: then they share their
// objects. Otherwise it makes one, with its facts.
func (o *ops) shape(l *session, p *record.ActionPayload) *shape {
	all := p.Action.Reads
	if len(all) == 0 {
		all = p.Action.Writes
	}
	if len(all) > 0 && l.shape.first == &all[0] {
		return &l.shape
	}
	l.shape = shape{verbs: allBounded(p.Action.Verbs), tables: []string{}}
	if len(all) > 0 {
		l.shape.first = &all[0]
	}
	for _, objects := range [][]action.Object{p.Action.Reads, p.Action.Writes} {
		for _, obj := range objects {
			if name := bounded(tableName(obj)); !slices.Contains(l.shape.tables, name) {
				l.shape.tables = append(l.shape.tables, name)
			}
			o.object(l, obj)
		}
	}
	for _, v := range l.shape.verbs {
		o.fact(l, index.Verb, strings.ToLower(v))
	}
	return &l.shape
}

func (o *ops) object(l *session, obj action.Object) {
	name, full := strings.ToLower(obj.Name), strings.ToLower(tableName(obj))
	o.fact(l, index.Table, full)
	o.fact(l, index.Table, name)
	for _, c := range obj.Columns {
		c = strings.ToLower(c)
		o.fact(l, index.Column, c)
		o.fact(l, index.Column, name+"."+c)
		o.fact(l, index.Column, full+"."+c)
	}
}

func (o *ops) hold(l *session, ordinal uint64, h *hold.Hold) {
	held := &index.Held{ID: bounded(h.ID), State: bounded(string(h.State)), Created: h.Created, Kind: bounded(h.Action.Kind), Rule: bounded(h.Rule), Reason: bounded(h.Reason)}
	for _, d := range h.Decisions {
		held.By = append(held.By, bounded(d.By.Subject))
		for _, a := range identities(d.By) {
			o.fact(l, index.Approver, a)
		}
	}
	o.action(l.id, ordinal).Held = held
}

// maxFacts bounds what one session is found by.
const maxFacts = 1 << 16

func (o *ops) fact(l *session, kind, value string) {
	value = index.Bounded(value, index.MaxValue)
	if key := [2]string{kind, value}; !l.facts[key] && value != "" && len(l.facts) < maxFacts {
		l.facts[key] = true
		o.batch.Facts = append(o.batch.Facts, index.Fact{Session: l.id, Kind: kind, Value: value})
	}
}

// text takes each distinct statement once.
func (o *ops) text(l *session, text string) {
	if text == l.text {
		return
	}
	l.text = text
	sum := sha256.Sum256([]byte(text))
	key := [16]byte(sum[:])
	if _, known := l.texts[key]; known || text == "" || len(l.texts) >= index.MaxSlots {
		return
	}
	slot := len(l.texts)
	l.texts[key] = struct{}{}
	o.batch.Texts = append(o.batch.Texts, index.Text{Session: l.id, Slot: slot, Text: index.Bounded(text, index.MaxText)})
}

func tableName(o action.Object) string {
	if o.Schema == "" {
		return o.Name
	}
	return o.Schema + "." + o.Name
}

func bounded(s string) string { return index.Bounded(s, maxText) }

func allBounded(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = bounded(s)
	}
	return out
}
