// Package notice is how a refusal or a hold tells a program what it is, in protocols whose errors are text: one line of
// JSON behind the words for people. Its names are those of the HTTP problem document. It decides nothing.
package notice

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
)

// Codes. They are stable.
const (
	Blocked     = "blocked"     // policy does not allow it, and nobody is asked
	Held        = "held"        // it waits for people
	Denied      = "denied"      // one of them said no
	Expired     = "expired"     // nobody decided in time
	Withdrawn   = "withdrawn"   // the wait has ended otherwise
	Unavailable = "unavailable" // nobody could be asked; try again later
)

// Notice is what a program is told.
type Notice struct {
	Code string `json:"code"`
	Rule string `json:"rule,omitempty"`
	Hold string `json:"hold,omitempty"` // its id
	URL  string `json:"url,omitempty"`  // where people see the hold
	// Instead is what is allowed, or to be done, in its place.
	Instead string `json:"instead,omitempty"`
}

// Prefix begins the line.
const Prefix = "dragoman: "

// Of is a notice about a decision; id is a hold's, "" when nothing was held.
func Of(code string, d *policy.Decision, id, page string) Notice {
	return Notice{Code: code, Rule: d.Rule, Hold: id, URL: URL(page, id), Instead: d.Hint}
}

// Refused is a notice about a session that authz does not open.
func Refused(no *check.Refusal) Notice { return Notice{Code: no.Code, Rule: no.Rule, Instead: no.Hint} }

// Outcome is the code for a hold that did not let the action run.
func Outcome(res check.HoldResponse, err error) string {
	switch {
	case err != nil:
		return Unavailable
	case res.State == hold.Denied:
		return Denied
	case res.State == hold.Expired:
		return Expired
	}
	return Withdrawn
}

// URL is where people see a hold, "" when there is no page or no hold.
func URL(page, id string) string {
	if page == "" || id == "" {
		return ""
	}
	return page + "/approvals/" + url.PathEscape(id)
}

// Line is the notice as one line.
func (n Notice) Line() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(n) != nil { // it is all text
		return Prefix + `{"code":"` + n.Code + `"}`
	}
	return Prefix + strings.TrimSuffix(b.String(), "\n")
}

// Within is the line when it has at most so many bytes, else without what the words for people say as well; "" when that is too long too.
func (n Notice) Within(most int) string {
	for _, short := range []Notice{n, {Code: n.Code, Rule: n.Rule, Hold: n.Hold, URL: n.URL}, {Code: n.Code, Hold: n.Hold}} {
		if s := short.Line(); len(s) <= most {
			return s
		}
	}
	return ""
}

// Parse finds the notice in a message.
func Parse(message string) (n Notice, ok bool) {
	for rest := message; ; {
		_, after, found := strings.Cut(rest, Prefix+"{")
		if !found {
			return Notice{}, false
		}
		if json.NewDecoder(strings.NewReader("{"+after)).Decode(&n) == nil && n.Code != "" {
			return n, true
		}
		rest = after
	}
}
