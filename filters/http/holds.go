package http

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/filters/http/request"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/session"
)

// hold keeps the request until people decide, or answers at once when its client does not wait.
func (s *stream) hold() {
	if !s.ended && (s.req.Upgrade == "" || s.req.HasBody()) { // a connection that is upgraded ends when it is over
		if len(s.kept) > s.cfg.JudgedBody {
			s.refuse(&problem{Status: 413, Code: "too_large_to_hold", Rule: s.d.Rule, status: "blocked",
				Detail: fmt.Sprintf("The request needs approval, but its body is longer than %d bytes, which is what can be kept.", s.cfg.JudgedBody)})
			return
		}
		s.wantBody = true // who approves, approves all of it
		return
	}
	if s.rpc == nil && s.call == nil && s.req.HasBody() {
		s.shown = s.req.Action(request.ReadCodedBody(s.fields.Joined("content-type"), s.fields.Joined("content-encoding"), s.kept, s.cfg.limits))
	} else {
		s.shown = s.action
	}
	digest := s.digest()
	async := s.cfg.RespondAsync || s.req.Async
	if l := s.sh.find(digest); l != nil {
		s.again(l, digest)
		return
	}
	s.phase = holding
	if !s.word() {
		return
	}
	s.keep(&s.upWaits, s.announce, func(err error) {
		if err != nil {
			s.refuse(notRecorded())
			return
		}
		go s.ask(digest, async)
	})
}

// ask puts the question; it may wait for the disk.
func (s *stream) ask(digest string, async bool) {
	h := session.Holding{Ordinal: s.ordinal, Action: s.shown, Digest: digest, Decision: s.d, Timeout: s.cfg.Limits.HoldTimeout}
	l := &later{}
	done := func(res check.HoldResponse, err error) { s.host.Post(func() { s.decided(res, err) }) }
	if async {
		done = func(res check.HoldResponse, err error) { s.sh.settle(l, res, err, s.t.rt.Now()) }
		if !s.sh.remember(digest, l) {
			s.host.Post(func() {
				s.refuse(&problem{Status: 429, Code: "too_many_holds", Rule: s.d.Rule, Detail: "Too many requests of this session wait for approval.", retry: 60})
			})
			return
		}
	}
	held, err := s.sh.span.Hold(h, done)
	if err != nil {
		s.sh.forget(digest)
		s.host.Post(func() { s.refuse(notRecorded()) })
		return
	}
	if async {
		s.sh.set(l, held)
		s.host.Post(func() { s.refuse(heldAs(&held.Hold, &s.d, s.page())) })
		return
	}
	if !s.host.Post(func() { s.held = held }) {
		held.Withdraw()
	}
}

// decided is the end of a hold that the client has waited for.
func (s *stream) decided(res check.HoldResponse, err error) {
	if s.phase != holding {
		return
	}
	id := ""
	if s.held != nil {
		id = s.held.Hold.ID
	}
	s.held = nil
	s.runApproved(id, res, err)
}

// runApproved lets the request pass if it was approved, and policy does not block it by now.
func (s *stream) runApproved(id string, res check.HoldResponse, err error) {
	if err != nil || res.State != hold.Used {
		p := notApproved(res, err, &s.d)
		p.Hold, p.URL = id, notice.URL(s.page(), id)
		s.refuse(p)
		return
	}
	if s.d.Revision != s.sh.judge.Revision() {
		if !s.judge() {
			return
		}
		if s.d.Verdict == policy.Block {
			s.refuse(blockedBy(&s.d))
			return
		}
		if s.rpc != nil && len(s.rpc.list) > 0 {
			s.rpc.list[0].d, s.rpc.list[0].plan = s.d, s.plan
		}
	}
	s.forward()
}

// again is a request like one that was held and answered at once.
func (s *stream) again(l *later, digest string) {
	held, res, err, done := s.sh.outcome(l)
	switch {
	case !done && held == nil: // it is just being asked for
		s.refuse(&problem{Status: 403, Code: "held", Rule: s.d.Rule, Detail: "The request waits for approval.", status: "blocked", retry: 5})
	case !done:
		s.refuse(heldAs(&held.Hold, &s.d, s.page()))
	default:
		if !s.sh.forgetIf(digest, l) { // another like it was quicker: an approval is for one
			s.hold()
			return
		}
		id := ""
		if held != nil {
			id = held.Hold.ID
		}
		s.runApproved(id, res, err)
	}
}

// page is where people see holds, "" when there is none.
func (s *stream) page() string { return s.sh.span.Opened().Page }

// heldAs tells a client that does not wait.
func heldAs(h *hold.Hold, d *policy.Decision, page string) *problem {
	reason := d.Reason
	if reason == "" {
		reason = "The request needs approval."
	}
	return &problem{Status: 403, Code: "held", Rule: d.Rule, Detail: reason + " It waits for approval as " + h.ID + ".",
		Hint: "Send the same request again once it is approved (dragoman approvals approve " + h.ID + ").",
		Hold: h.ID, URL: notice.URL(page, h.ID), Deadline: &h.Deadline, Approvers: h.Approvers, status: "blocked", retry: 10}
}

func notApproved(res check.HoldResponse, err error, d *policy.Decision) *problem {
	p := &problem{Status: 403, Code: notice.Outcome(res, err), Rule: d.Rule, Detail: res.Message, Hint: d.Hint}
	switch {
	case err != nil:
		p.Status, p.Detail, p.retry = 503, "The request could not be held for approval.", 5
		p.status = "withdrawn"
	case res.State == hold.Denied:
		p.status = "denied"
	case res.State == hold.Expired:
		p.status = "expired"
	default:
		p.status = "withdrawn"
	}
	if p.Detail == "" {
		p.Detail = "The request was not approved."
	}
	return p
}

// passing headers: they differ each time, and do not change what a request does.
func volatileField(name string) bool {
	switch name {
	case "authorization", "proxy-authorization", "content-length", "transfer-encoding", "connection", "expect", "prefer", "date",
		"traceparent", "tracestate", "baggage", "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-client-cert",
		"user-agent", "accept-encoding", "te", "keep-alive":
		return true
	}
	return strings.HasPrefix(name, "x-b3-") || strings.HasPrefix(name, "x-envoy-")
}

// digest binds an approval to the method, where it goes, the header fields that matter and the whole body, each with its length.
func (s *stream) digest() string {
	list := make(header.List, 0, len(s.fields))
	for _, f := range s.fields {
		if !volatileField(f.Name) {
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b header.Field) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	add := func(p string) {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write([]byte(p))
	}
	for _, p := range []string{"http", s.cfg.Target.Name, s.req.Method, s.req.Authority, s.req.Target(), s.req.Upgrade} {
		add(p)
	}
	for _, f := range list {
		add(f.Name)
		add(f.Value)
	}
	add(string(s.kept))
	if s.trailers != nil {
		for _, f := range listOf(s.trailers) {
			add(f.Name)
			add(f.Value)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The table of held requests whose clients do not wait.

// laterValid is how long an approval waits for its request to be repeated.
const laterValid = 15 * time.Minute

func (sh *shared) find(digest string) *later {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l := sh.later[digest]
	if l != nil && l.done && sh.rt.Now().Sub(l.at) > laterValid {
		delete(sh.later, digest)
		return nil
	}
	return l
}

func (sh *shared) remember(digest string, l *later) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if len(sh.later) >= maxLater || sh.over || sh.later[digest] != nil {
		return false
	}
	sh.later[digest] = l
	return true
}

func (sh *shared) forget(digest string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.later, digest)
}

// forgetIf takes the entry, if nobody else has.
func (sh *shared) forgetIf(digest string, l *later) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.later[digest] != l {
		return false
	}
	delete(sh.later, digest)
	return true
}

func (sh *shared) set(l *later, held *session.Held) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l.held = held
}

func (sh *shared) settle(l *later, res check.HoldResponse, err error, at time.Time) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	l.done, l.res, l.err, l.at = true, res, err, at
}

func (sh *shared) outcome(l *later) (*session.Held, check.HoldResponse, error, bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return l.held, l.res, l.err, l.done
}
