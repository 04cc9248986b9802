package holdnotice

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what Slack sends.
const (
	slackWindow = 5 * time.Minute // as Slack's documentation has it
	maxSeen     = 10_000
)

// ErrSlack says that a request is not Slack's, not of now, or was here before.
var ErrSlack = errors.New("this is not a request of Slack's")

// Clicks reads what Slack's buttons send.
type Clicks struct {
	Now func() time.Time

	mu   sync.Mutex
	seen map[string]time.Time // signatures, by their time
}

// Click is one press of a button.
type Click struct {
	Team, User string // Slack's ids
	Hold       string // "": it is none that decides
	Digest     string // of what the message was about
	Approve    bool
}

// Read checks a request's signature with the app's signing secret and reads it. A request counts once.
func (c *Clicks) Read(secret string, h http.Header, body []byte) (Click, error) {
	at, signature := h.Get("X-Slack-Request-Timestamp"), h.Get("X-Slack-Signature")
	n, err := strconv.ParseInt(at, 10, 64)
	if err != nil || secret == "" {
		return Click{}, ErrSlack
	}
	sent, now := time.Unix(n, 0), c.Now()
	if sent.Before(now.Add(-slackWindow)) || sent.After(now.Add(slackWindow)) {
		return Click{}, ErrSlack
	}
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("v0:" + at + ":"))
	m.Write(body)
	if want := "v0=" + hex.EncodeToString(m.Sum(nil)); !hmac.Equal([]byte(want), []byte(signature)) {
		return Click{}, ErrSlack
	}
	if !c.first(signature, sent, now) {
		return Click{}, ErrSlack
	}
	return parseClick(body)
}

// first reports whether the signature was not here before.
func (c *Clicks) first(signature string, sent, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, t := range c.seen {
		if t.Before(now.Add(-slackWindow)) {
			delete(c.seen, s)
		}
	}
	if _, again := c.seen[signature]; again || len(c.seen) >= maxSeen {
		return false
	}
	if c.seen == nil {
		c.seen = map[string]time.Time{}
	}
	c.seen[signature] = sent
	return true
}

func parseClick(body []byte) (Click, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Click{}, fmt.Errorf("%w: it is not a form", ErrSlack)
	}
	var doc struct {
		Type string `json:"type"`
		User struct {
			ID   string `json:"id"`
			Team string `json:"team_id"`
		} `json:"user"`
		Team struct {
			ID string `json:"id"`
		} `json:"team"`
		Actions []struct {
			ID    string `json:"action_id"`
			Value string `json:"value"`
		} `json:"actions"`
	}
	if err := json.Unmarshal([]byte(form.Get("payload")), &doc); err != nil {
		return Click{}, fmt.Errorf("%w: its payload is not JSON", ErrSlack)
	}
	if doc.Type != "block_actions" || len(doc.Actions) != 1 || doc.User.ID == "" {
		return Click{}, fmt.Errorf("%w: it is no press of one button", ErrSlack)
	}
	click := Click{Team: doc.Team.ID, User: doc.User.ID}
	if click.Team == "" {
		click.Team = doc.User.Team
	}
	if doc.Actions[0].ID == lookID {
		return click, nil // the link: Slack tells of it, and it decides nothing
	}
	var ok bool
	if click.Hold, click.Digest, ok = strings.Cut(doc.Actions[0].Value, " "); !ok || click.Hold == "" || click.Digest == "" {
		return Click{}, fmt.Errorf("%w: the button names no hold", ErrSlack)
	}
	switch doc.Actions[0].ID {
	case approveID:
		click.Approve = true
	case denyID:
	default:
		return Click{}, fmt.Errorf("%w: the button is not one of ours", ErrSlack)
	}
	return click, nil
}
