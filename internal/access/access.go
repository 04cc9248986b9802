// Package access is the log of who read which record. It is itself a record: each
// reader's reads over a while are a session on the target "(audit)", whose actions are the
// reads. So it is append-only, hash-chained, entered in the transparency log, verified,
// searched, exported and kept like any other session. This package owns that form, the
// writing (a spool of its own, synced before a read is served) and the listing; the store
// behind it is package audit's, who may read what is the API's.
package access

import (
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
)

// How these sessions are told from others.
const (
	Prefix   = "acc_"       // of their ids
	Target   = "(audit)"    // no target of a config can have this name
	Protocol = "audit"      // of that target
	Kind     = "audit.read" // of their actions
)

// Ways of reading. The way is the action's verb.
const (
	List    = "list"    // rows of the index
	Show    = "show"    // one session's row
	Actions = "actions" // its actions with their text
	Frames  = "frames"  // its whole record, for no stated purpose
	Replay  = "replay"
	Export  = "export"
	Tail    = "tail"
	Proof   = "proof"  // its entry in the transparency log
	Reads   = "reads"  // this log
	Delete  = "delete" // for good

	Backtest = "backtest" // judged again with another policy
)

// Is reports whether a session id is that of a part of this log.
func Is(session string) bool { return strings.HasPrefix(session, Prefix) }

// MaxSessions bounds how many sessions one read names; a longer list is several.
const MaxSessions = 1000

// Read is one read, before it is served.
type Read struct {
	// By is who reads. On the admin socket it may be stated: method "local", and the
	// issuer is the local user that stated it.
	By       identity.Identity
	Via      string // "admin-socket", "api"
	Client   string // address, or ""
	Way      string
	Sessions []string
	Text     string // what was asked for, such as a query
	// Refused says why it was not served, or "".
	Refused string
}

// Entry is one read as the log has it.
type Entry struct {
	Time     time.Time `json:"time"`
	By       string    `json:"by"`    // who acts
	Chain    []string  `json:"chain"` // with those on whose behalf, principal first
	Groups   []string  `json:"groups"`
	Method   string    `json:"method"`
	Issuer   string    `json:"issuer"` // with method "local": who stated By
	Via      string    `json:"via"`
	Client   string    `json:"client,omitempty"`
	Way      string    `json:"way"`
	Sessions []string  `json:"sessions"`
	Text     string    `json:"text"`
	Allowed  bool      `json:"allowed"`
	Reason   string    `json:"reason,omitempty"`
	// Record and Action are where it is recorded.
	Record string `json:"record"`
	Action uint64 `json:"action"`
}

// action is the read as policy and records name actions.
func (r Read) action() action.Action {
	a := action.Action{Kind: Kind, Verbs: []string{r.Way}, Reads: []action.Object{}, Writes: []action.Object{},
		Functions: []action.Function{}, Features: map[string]any{}, Params: []action.Param{},
		Text: strings.TrimSpace(r.Way + " " + r.Text), Fingerprint: Kind + ":" + r.Way}
	for _, id := range r.Sessions[:min(len(r.Sessions), MaxSessions)] {
		a.Reads = append(a.Reads, action.Object{Name: id, Columns: []string{}, Resolved: true})
	}
	return a
}

// key tells readers apart: one session is one reader's, by one way of proof.
func (r Read) key() string {
	return strings.Join(append([]string{r.Via, r.By.Method, r.By.Issuer, strings.Join(r.By.Groups, ",")}, r.By.Actors...), "\x00")
}
