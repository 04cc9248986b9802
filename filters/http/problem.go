package http

import (
	"encoding/json"
	"errors"
	"fmt"
	nethttp "net/http"
	"strconv"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/policy"
)

// problem is why a request is refused, as the agent is told: a problem document (RFC 9457).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"` // the session and the action's number
	// Code is for machines: "unauthenticated", "blocked", "held", "denied", "expired", …
	Code string `json:"code"`
	Rule string `json:"rule,omitempty"`
	Hint string `json:"hint,omitempty"`
	// Of a hold.
	Hold      string     `json:"hold,omitempty"`
	URL       string     `json:"url,omitempty"` // where people see it
	Deadline  *time.Time `json:"deadline,omitempty"`
	Approvers []string   `json:"approvers,omitempty"`

	status string // of record.Result
	raw    []byte // the answer in place of the document: JSON-RPC, with status 200
	retry  int    // seconds, for Retry-After
}

// typeOf is the problem type of a code; its page is docs/http.md.
func typeOf(code string) string { return "https://dragoman.dev/problems/" + code }

func (p *problem) body() []byte {
	p.Type, p.Title = typeOf(p.Code), nethttp.StatusText(p.Status)
	b, err := json.Marshal(p)
	if err != nil {
		return []byte(`{"status":500}`)
	}
	return append(b, '\n')
}

// answer is what is sent: the status and the body.
func (p *problem) answer() (int, []byte) {
	if p.raw != nil {
		return nethttp.StatusOK, p.raw
	}
	return p.Status, p.body()
}

func (p *problem) contentType() string {
	if p.raw != nil {
		return "application/json"
	}
	return "application/problem+json"
}

// fields are the header fields that come with it.
func (p *problem) fields() map[string][]string {
	if p.raw != nil {
		return map[string][]string{"content-type": {p.contentType()}}
	}
	h := map[string][]string{"content-type": {"application/problem+json"}, "cache-control": {"no-store"}}
	if p.Status == nethttp.StatusUnauthorized {
		h["www-authenticate"] = []string{`Bearer realm="dragoman"`}
	}
	if p.retry > 0 {
		h["retry-after"] = []string{strconv.Itoa(p.retry)}
	}
	return h
}

// refusedSession is why there is no session.
func refusedSession(err error) *problem {
	var no *check.Refusal
	if !errors.As(err, &no) {
		return &problem{Status: 503, Code: check.CodeUnavailable, Detail: "The gateway cannot open a session now.", retry: 5}
	}
	p := &problem{Status: 403, Code: no.Code, Rule: no.Rule, Detail: no.Message, Hint: no.Hint}
	switch no.Code {
	case check.CodeUnauthenticated:
		p.Status = 401
	case check.CodeUnavailable:
		p.Status, p.retry = 503, 5
	default:
		p.Code = "forbidden"
	}
	return p
}

// blockedBy is what policy says.
func blockedBy(d *policy.Decision) *problem {
	reason := d.Reason
	if reason == "" {
		reason = "Policy does not allow this request."
	}
	return &problem{Status: 403, Code: "blocked", Rule: d.Rule, Detail: reason, Hint: d.Hint, status: "blocked"}
}

// notRecorded: what cannot be recorded is not done.
func notRecorded() *problem {
	return &problem{Status: 503, Code: "not_recorded", Detail: "The gateway cannot record this now, so it is not done.", status: "error", retry: 5}
}

func instance(session string, action uint64) string {
	if action == 0 {
		return session
	}
	return fmt.Sprintf("%s/%d", session, action)
}
