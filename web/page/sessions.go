package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/replay"
	"dragoman.dev/dragoman/web/api"
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
}

func (s *server) session(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	d, err := s.someActions(r)
	if err != nil {
		return err
	}
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
)

// block is something that an action's replay shows.
type block struct {
	Title   string
	Text    string
	Columns []string
	Rows    [][]replay.Value
	More    int // rows that are not shown
	Kind    string
}

type actionData struct {
	Session string
	Ordinal uint64
	Action  *record.ActionPayload
	Blocks  []*block
	Cut     bool
}

var errEnough = errors.New("enough is read")

// action is one action as it was recorded: what was asked, and what was returned, exactly.
func (s *server) action(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 63)
	if err != nil || n == 0 {
		return fmt.Errorf("%w: %q is not the number of an action", api.ErrInvalid, r.PathValue("n"))
	}
	src, err := s.Sessions.Frames(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	defer src.Close()
	d := actionData{Session: r.PathValue("id"), Ordinal: n}
	err = replay.Walk(src, d.frame, d.message)
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if d.Action == nil {
		return fmt.Errorf("%w: session %s has no action %d", api.ErrNotFound, d.Session, n)
	}
	if r.URL.Query().Get("part") != "" {
		return s.part(w, r, "action", d)
	}
	s.show(w, r, http.StatusOK, "action", d)
	return nil
}

func (d *actionData) frame(f record.Frame) error {
	if f.Action != d.Ordinal {
		return nil
	}
	switch f.Kind {
	case record.KindAction:
		d.Action = &record.ActionPayload{}
		if err := json.Unmarshal(f.Payload, d.Action); err != nil {
			return fmt.Errorf("action %d cannot be read: %w", d.Ordinal, err)
		}
	case record.KindResult:
		var res record.Result
		if json.Unmarshal(f.Payload, &res) == nil {
			d.add(&block{Kind: "result", Title: res.Status, Text: res.Message})
		}
		return errEnough
	}
	return nil
}

func (d *actionData) add(b *block) {
	if len(d.Blocks) >= maxBlocks {
		d.Cut = true
		return
	}
	b.Text = b.Text[:min(len(b.Text), maxText)]
	d.Blocks = append(d.Blocks, b)
}

// message adds what was returned; what was asked is in the action itself.
func (d *actionData) message(f record.Frame, e replay.Event) error {
	if f.Action != d.Ordinal || f.Kind != record.KindResponse {
		return nil
	}
	switch {
	case e.Columns != nil:
		b := &block{Kind: "table"}
		for _, c := range e.Columns {
			b.Columns = append(b.Columns, c.Name)
		}
		d.add(b)
	case e.Row != nil:
		d.row(e.Row)
	case e.Report != nil:
		text := e.Report.Message
		for _, more := range []string{e.Report.Detail, e.Report.Hint} {
			if more != "" {
				text += "\n" + more
			}
		}
		d.add(&block{Kind: "report", Title: e.Report.Severity + " " + e.Report.Code, Text: text})
	case len(e.Data) > 0:
		d.add(&block{Kind: "data", Title: e.Message, Text: string(e.Data[:min(len(e.Data), maxText)])})
	}
	return nil
}

func (d *actionData) row(row []replay.Value) {
	var last *block
	if n := len(d.Blocks); n > 0 && d.Blocks[n-1].Kind == "table" {
		last = d.Blocks[n-1]
	} else {
		last = &block{Kind: "table"}
		d.add(last)
	}
	if len(last.Rows) >= maxRows {
		last.More++
		return
	}
	last.Rows = append(last.Rows, append([]replay.Value(nil), row...))
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
