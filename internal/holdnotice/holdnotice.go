// Package holdnotice tells people that an action waits for their decision: by Slack, Microsoft Teams, a signed webhook or
// e-mail. A notice has who asks, where, which rule, what kind of action on which objects, until when, and where to decide.
// It never has the statement, its parameters or any value: those are on the page, behind its login. Deciding is not
// this package's, but for reading what Slack's buttons send (Slack.Decision).
package holdnotice

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
	"unicode"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/notify"
)

// Events.
const (
	Pending = "hold.pending"
	// Withdrawn: the process in which it waited is gone, so nobody can decide on it any more. If the agent asks again, that is another hold.
	Withdrawn = "hold.withdrawn"
)

// Notice is what is told of a hold.
type Notice struct {
	Event     string    `json:"event"` // Pending or Withdrawn; with hold it names the notice, which may come twice
	Hold      string    `json:"hold"`
	Digest    string    `json:"digest"` // what a decision is bound to
	Session   string    `json:"session"`
	Target    string    `json:"target"`
	Chain     []string  `json:"chain"`
	Rule      string    `json:"rule"`
	Verbs     []string  `json:"verbs"`
	Objects   []string  `json:"objects"` // names of what it reads and writes
	Approvers []string  `json:"approvers"`
	Quorum    int       `json:"quorum"`
	Deadline  time.Time `json:"deadline"`
	URL       string    `json:"url"` // of the page; "" where there is none
}

// maxObjects bounds what a notice names.
const maxObjects = 12

// Of makes the notice of a hold. page is the page's address.
func Of(h hold.Hold, page string) Notice {
	n := Notice{Event: Pending, Hold: h.ID, Digest: h.Digest, Session: h.Session, Target: line(h.Target), Rule: line(h.Rule),
		Chain: []string{}, Verbs: []string{}, Objects: []string{}, Approvers: []string{}, Quorum: max(1, h.Quorum), Deadline: h.Deadline.UTC()}
	for _, a := range h.Identity.Actors {
		n.Chain = append(n.Chain, line(a))
	}
	for _, v := range h.Action.Verbs {
		n.Verbs = append(n.Verbs, line(v))
	}
	for _, a := range h.Approvers {
		n.Approvers = append(n.Approvers, line(a))
	}
	if h.Action.Kind == action.KindSQL { // elsewhere names are paths, which hold values
		for _, list := range [][]action.Object{h.Action.Reads, h.Action.Writes} {
			for _, o := range list {
				if len(n.Objects) < maxObjects {
					n.Objects = append(n.Objects, line(strings.TrimPrefix(o.Schema+"."+o.Name, ".")))
				}
			}
		}
	}
	if h.State == hold.Withdrawn {
		n.Event = Withdrawn
	}
	if page != "" {
		n.URL = page + "/approvals/" + h.ID
	}
	return n
}

// line makes what agents and targets named safe for a line of text.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}

// Title says it in one line.
func (n Notice) Title() string {
	if n.Event == Withdrawn {
		return strings.Join(n.Chain, " → ") + " waits no more on " + n.Target + ": the gateway was restarted"
	}
	return strings.Join(n.Chain, " → ") + " waits on " + n.Target
}

// link is what its link is called.
func (n Notice) link() string {
	if n.Event == Withdrawn {
		return "Look"
	}
	return "Look and decide"
}

// due reports whether there is somebody to whom it says something yet.
func (n Notice) due(now time.Time, waits func(string) bool) bool {
	return n.Deadline.After(now) && (n.Event == Withdrawn || waits(n.Hold))
}

// Lines are the facts, for people.
func (n Notice) Lines() []string {
	what := strings.Join(n.Verbs, ", ")
	if len(n.Objects) > 0 {
		what += " of " + strings.Join(n.Objects, ", ")
	}
	return []string{"What: " + what, "Rule: " + n.Rule, "Approvers: " + strings.Join(n.Approvers, ", "),
		"Until: " + n.Deadline.Format("2006-01-02 15:04:05") + " UTC"}
}

// Sender tells one place. An error that is notify.ErrRejected is not tried again.
type Sender interface {
	Name() string
	Send(ctx context.Context, n Notice) error
}

const (
	attemptTime = 20 * time.Second
	firstWait   = time.Second
	longestWait = time.Minute
	// maxWaiting bounds the notices that wait for one place; more are left out, and that is logged.
	maxWaiting = 1000
)

// Source has the holds of all replicas, and knows which are this process's.
type Source interface {
	Pending(ctx context.Context) ([]hold.Hold, error)
	// Watch gives holds as they change; it is closed when changes may have been missed.
	Watch(ctx context.Context) <-chan hold.Hold
	// Waits reports whether the call that a hold keeps waiting is in this process. It is false once the hold has ended.
	Waits(id string) bool
}

// Delivery tells all places of the holds that wait in this process, each at its own pace, and tries again as long as they wait. So
// of several replicas one tells of a hold, the one whose end is the hold's end.
type Delivery struct {
	Senders []Sender
	Holds   Source
	// Left are holds whose process is gone, and which nobody but this one tells of; nil for none.
	Left <-chan hold.Hold
	Page string
	Log  *slog.Logger
	Now  func() time.Time
	// Wait is the first wait after a failure; 0 means a second. It doubles up to a minute.
	Wait time.Duration
}

// Run tells until ctx ends.
func (d *Delivery) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	queues := make([]chan Notice, len(d.Senders))
	for i, s := range d.Senders {
		queues[i] = make(chan Notice, maxWaiting)
		defer close(queues[i])
		wg.Go(func() {
			for n := range queues[i] {
				d.tell(ctx, s, n)
			}
		})
	}
	var left sync.WaitGroup
	defer left.Wait() // before the queues are closed
	left.Go(func() { d.tellLeft(ctx, queues) })
	told := map[string]time.Time{} // deadlines
	for ctx.Err() == nil {
		d.follow(ctx, func(h hold.Hold) { d.offer(queues, told, h) })
	}
}

// tellLeft tells those who were told of a hold that its process is gone.
func (d *Delivery) tellLeft(ctx context.Context, queues []chan Notice) {
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-d.Left:
			if h.Deadline.After(d.Now()) { // else it would have ended by itself
				d.queue(queues, Of(h, d.Page))
			}
		}
	}
}

// follow gives what waits already, and then what changes, until changes may have been missed.
func (d *Delivery) follow(ctx context.Context, each func(hold.Hold)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := d.Holds.Watch(ctx)
	list, err := d.Holds.Pending(ctx)
	if err != nil && ctx.Err() == nil {
		d.Log.Error("holds that wait already cannot be looked up; they are not told of", "err", err)
		select { // the database is not there: not at once again
		case <-ctx.Done():
		case <-time.After(firstWait):
		}
	}
	for _, h := range list {
		each(h)
	}
	for h := range changes {
		each(h)
	}
}

// offer puts a hold's notice into the queues, once.
func (d *Delivery) offer(queues []chan Notice, told map[string]time.Time, h hold.Hold) {
	now := d.Now()
	if h.State != hold.Pending || len(h.Decisions) > 0 || !h.Deadline.After(now) || !told[h.ID].IsZero() || !d.Holds.Waits(h.ID) {
		return
	}
	for id, over := range told {
		if over.Before(now) {
			delete(told, id)
		}
	}
	told[h.ID] = h.Deadline
	d.queue(queues, Of(h, d.Page))
}

func (d *Delivery) queue(queues []chan Notice, n Notice) {
	for i, q := range queues {
		select {
		case q <- n:
		default:
			d.Log.Error("too many notices wait; one is left out", "to", d.Senders[i].Name(), "hold", n.Hold)
		}
	}
}

// tell tries until it is told, refused, or nobody waits any more.
func (d *Delivery) tell(ctx context.Context, s Sender, n Notice) {
	wait := d.Wait
	if wait <= 0 {
		wait = firstWait
	}
	for ctx.Err() == nil && n.due(d.Now(), d.Holds.Waits) {
		attempt, cancel := context.WithTimeout(ctx, attemptTime)
		err := s.Send(attempt, n)
		cancel()
		switch {
		case err == nil:
			return
		case errors.Is(err, notify.ErrRejected):
			d.Log.Error("a notice of a hold is not taken", "to", s.Name(), "hold", n.Hold, "err", err)
			return
		}
		d.Log.Warn("a notice of a hold is not taken; it is tried again", "to", s.Name(), "hold", n.Hold, "again_in", wait, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		}
		wait = min(2*wait, longestWait)
	}
}
