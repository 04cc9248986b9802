package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/api"
	"dragoman.dev/dragoman/web/page/content"
)

type sessionsData struct {
	Query url.Values
	Page  audit.Page
	More  string // the next page's query, "" at the end
}

// Get is a filter's value.
func (d sessionsData) Get(name string) string { return d.Query.Get(name) }

func (s *server) sessions(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	page, err := s.FindSessions(r, c)
	if err != nil {
		return err
	}
	d := sessionsData{Query: r.URL.Query(), Page: page}
	if page.Next != "" {
		q := r.URL.Query()
		q.Set("cursor", page.Next)
		d.More = "?" + q.Encode()
	}
	s.show(w, r, http.StatusOK, "sessions", d)
	return nil
}

// actionsShown is how many actions a page has.
const actionsShown = 100

type sessionData struct {
	Session audit.Session
	Actions []audit.Action
	After   uint64 // of the next part, 0 at the end
	Check   checkView
}

// player is where a session is played.
type player struct{ Link, Name string }

// Player is nil for a session that cannot have anything to play.
func (d sessionData) Player() *player {
	at := "/sessions/" + d.Session.ID
	switch d.Session.Protocol {
	case "rdp":
		return &player{at + "/screen", "Play its desktop"}
	case "ssh":
		return &player{at + "/terminal", "Play its terminal"}
	case "kubernetes":
		for _, a := range d.Actions {
			if a.Kind == action.KindExec || a.Kind == action.KindShell {
				return &player{at + "/terminal", "Play its terminal"}
			}
		}
	}
	return nil
}

func (s *server) session(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	d, err := s.someActions(r)
	if err != nil {
		return err
	}
	d.Check = s.check(r.Context(), d.Session, checkPatience)
	s.show(w, r, http.StatusOK, "session", d)
	return nil
}

// actions is the next part of a session's actions.
func (s *server) actions(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	d, err := s.someActions(r)
	if err != nil {
		return err
	}
	return s.part(w, r, "session", d)
}

func (s *server) someActions(r *http.Request) (sessionData, error) {
	id := r.PathValue("id")
	var d sessionData
	after, err := strconv.ParseUint("0"+r.URL.Query().Get("after"), 10, 63)
	if err != nil {
		return d, fmt.Errorf("%w: after is not a number", api.ErrInvalid)
	}
	if d.Session, err = s.Sessions.Get(r.Context(), id); err != nil {
		return d, err
	}
	if d.Actions, err = s.Sessions.Actions(r.Context(), id, after, actionsShown); err != nil {
		return d, err
	}
	if n := len(d.Actions); n == actionsShown {
		d.After = d.Actions[n-1].Ordinal
	}
	return d, nil
}

// Bounds of what one action's page shows; the whole is in `dragoman sessions export`.
const (
	maxRows   = 500
	maxBlocks = 200
	maxText   = 64 << 10
	maxCells  = 20_000  // of all tables
	maxBytes  = 2 << 20 // in them
)

// block is something that an action's replay shows.
type block struct {
	Title  string
	Text   string
	Code   string
	Masked int64 // values
	Heads  []tableHead
	Rows   [][]cell
	More   int // rows that are not shown
	Kind   string
}

type actionData struct {
	Session  string
	Ordinal  uint64
	Action   *record.ActionPayload
	Exchange *exchangeView // of HTTP
	Streams  string        // where the sessions of streams of the same identity are, of Kubernetes
	Blocks   []*block
	Cut      bool
	Check    checkView

	open  record.Open
	marks content.Marks
	cells int // that are shown
	bytes int // of them
}

var errEnough = errors.New("enough is read")

// action is one action as it was recorded: what was asked, and what was returned, exactly.
func (s *server) action(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 63)
	if err != nil || n == 0 {
		return fmt.Errorf("%w: %q is not the number of an action", api.ErrInvalid, r.PathValue("n"))
	}
	one, err := s.Sessions.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	d := actionData{Session: one.ID, Ordinal: n, Check: s.check(r.Context(), one, checkPatience)}
	err = s.collect(r.Context(), &d)
	bad, isBroken := corrupt(err)
	switch {
	case isBroken: // what was read before that is good, and may be nothing
		d.Check.Frames, d.Check.Broken, d.Check.Unread, d.Check.Running = bad.Seq, brokenText(bad), false, false
	case err != nil:
		return err
	case d.Action == nil:
		return fmt.Errorf("%w: session %s has no action %d", api.ErrNotFound, d.Session, n)
	}
	if d.Action != nil {
		d.finish()
	}
	if r.URL.Query().Get("part") != "" {
		return s.part(w, r, "action", d)
	}
	status := http.StatusOK
	if d.Action == nil {
		status = http.StatusInternalServerError
	}
	s.show(w, r, status, "action", d)
	return nil
}

// collect reads what the record has of an action.
func (s *server) collect(ctx context.Context, d *actionData) error {
	src, err := s.read(ctx, d.Session, d.Ordinal, func(f record.Frame) { _ = d.frame(f) })
	if err != nil {
		return err
	}
	defer src.Close()
	for err == nil {
		err = src.step(d.frame, d.message)
	}
	return ended(err)
}

// proof is the session's entry in the transparency log, for a browser that checks it itself.
func (s *server) proof(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	p, err := s.Proofs.Proof(r.Context(), r.PathValue("id"))
	if errors.Is(err, audit.ErrNotFound) {
		return fmt.Errorf("%w: the log has no entry of this session yet", api.ErrNotFound)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(p)
}

func (s *server) endSession(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	id, reason := r.PathValue("id"), r.PostFormValue("reason")
	s.Log.Info("a session is ended by hand", "session", id, "by", c.Identity.Chain(), "via", c.Via, "reason", reason)
	if err := s.Sessions.End(r.Context(), id, reason); err != nil {
		return err
	}
	http.Redirect(w, r, "/sessions/"+url.PathEscape(id), http.StatusSeeOther)
	return nil
}
