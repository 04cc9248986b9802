package access

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/ulid"
)

// Requests of Envoys that ask and do not record themselves are recorded where they are decided: by a Log of their own, in
// sessions like those of any gateway. What such a session has is who asked for what, what policy said, who was asked, and
// what was decided: neither bytes that went to the target nor any that came.

// Requester is whose requests are one session.
type Requester struct {
	Identity identity.Identity
	Target   policy.Target
	Session  policy.Session // of the request; id and start become those of the record
	Gateway  string         // the node that asks
	Mode     record.Mode
}

func (r Requester) key() string {
	client := r.Session.Client
	if i := strings.LastIndexByte(client, ':'); i > 0 {
		client = client[:i] // a connection is no session
	}
	return strings.Join(append([]string{r.Gateway, r.Target.Name, client, r.Identity.Issuer, r.Identity.Method, r.Identity.TokenID, r.Identity.Subject,
		strings.Join(r.Identity.Groups, ",")}, r.Identity.Actors...), "\x00")
}

// requestPrefix begins the ids of such sessions, as of all sessions on targets.
const requestPrefix = "ses_"

// Deciding is one request that is being decided. It belongs to one user at a time, who calls End.
type Deciding struct {
	log    *Log
	key    string
	one    *reader
	action uint64
	since  time.Time
}

// Begin finds or begins the requester's session.
func (l *Log) Begin(r Requester) (*Deciding, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, err := l.find(r.key(), func(now time.Time) (*record.Writer, error) {
		s := r.Session
		s.ID, s.Started = ulid.New(requestPrefix, now), now
		w, err := l.spool.Begin(r.Mode, record.Open{Session: s, Target: r.Target, Identity: r.Identity, Node: l.opt.Node,
			Decision: policy.Decision{Verdict: policy.Allow, Rule: "authenticated"}})
		if err != nil {
			return nil, err
		}
		return w, w.AppendJSON(record.KindNote, 0, record.Note{What: "ext_authz", Detail: map[string]any{"gateway": r.Gateway}})
	})
	if err != nil {
		return nil, fmt.Errorf("access log: %w", err)
	}
	one.busy++
	return &Deciding{log: l, key: r.key(), one: one, since: l.opt.Now()}, nil
}

// Session is the record's id.
func (d *Deciding) Session() string { return d.one.w.Session() }

// Action records what is asked and what policy says. When it returns nil it is as safe as the mode says.
func (d *Deciding) Action(a action.Action, said policy.Decision) error {
	return d.write(func(one *reader) error {
		one.reads++
		d.action = one.reads
		return one.w.AppendJSON(record.KindAction, d.action, record.ActionPayload{Action: a, Decision: said})
	})
}

// Hold records that people are asked, and how that ended.
func (d *Deciding) Hold(h hold.Hold) error {
	return d.write(func(one *reader) error { return one.w.AppendJSON(record.KindHold, d.action, h) })
}

// Result records what was answered.
func (d *Deciding) Result(r record.Result) error {
	r.Duration = d.log.opt.Now().Sub(d.since)
	return d.write(func(one *reader) error { return one.w.AppendResult(d.action, &r) })
}

// End is the end of its use. It may be called once.
func (d *Deciding) End() {
	d.log.mu.Lock()
	defer d.log.mu.Unlock()
	if d.one.busy--; d.one.busy == 0 && d.one.over {
		d.log.close(d.one)
	}
}

func (d *Deciding) write(add func(*reader) error) error {
	err := d.log.commit(d.one, add)
	if err == nil {
		return nil
	}
	d.log.drop(d.key, d.one)
	return errors.Join(errors.New("access log: the request is not recorded"), err)
}
