package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/record"
)

// cursorOK is the form of audit's cursors.
var cursorOK = regexp.MustCompile(`^[0-9]{1,19}:[A-Za-z0-9_]{1,64}$`)

func (h *handler) listSessions(w http.ResponseWriter, r *http.Request, c Caller) error {
	page, err := h.FindSessions(r, c)
	if err != nil {
		return err
	}
	return reply(w, page)
}

// FindSessions finds the sessions that the request's parameters name, and records that it did.
func (h *Guard) FindSessions(r *http.Request, c Caller) (audit.Page, error) {
	q := query{r: r}
	f := audit.Filter{Identity: q.text("identity"), Target: q.text("target"), Since: q.moment("since"), Until: q.moment("until"),
		Verdict: q.text("verdict"), Table: q.text("table"), Column: q.text("column"), Verb: q.text("verb"), Live: q.flag("live"),
		Approver: q.text("approver"), Session: q.text("session"), Text: q.text("text"),
		Limit: int(q.number("limit")), Cursor: q.text("cursor")}
	if q.err != nil {
		return audit.Page{}, q.err
	}
	if !slices.Contains([]string{"", "allow", "block", "hold"}, f.Verdict) {
		return audit.Page{}, fmt.Errorf("%w: verdict %q is not one of allow, block, hold", ErrInvalid, f.Verdict)
	}
	if f.Cursor != "" && !cursorOK.MatchString(f.Cursor) {
		return audit.Page{}, fmt.Errorf("%w: the cursor is not one of ours", ErrInvalid)
	}
	if f.Target == access.Target && !c.may(Auditor) {
		return audit.Page{}, fmt.Errorf("%w: the access log needs the role %s", ErrForbidden, wanted(auditors))
	}
	page, err := h.Sessions.List(r.Context(), f)
	if err != nil {
		return audit.Page{}, err
	}
	ids := make([]string, len(page.Sessions))
	for i, s := range page.Sessions {
		ids[i] = s.ID
	}
	if err := h.record(r, c, access.List, r.URL.RawQuery, nil, ids...); err != nil {
		return audit.Page{}, err
	}
	return page, nil
}

func (h *handler) showSession(w http.ResponseWriter, r *http.Request, _ Caller) error {
	s, err := h.Sessions.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return reply(w, s)
}

func (h *handler) actions(w http.ResponseWriter, r *http.Request, _ Caller) error {
	q := query{r: r}
	after, limit := q.number("after"), int(q.number("limit"))
	if q.err != nil {
		return q.err
	}
	if _, err := h.Sessions.Get(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	list, err := h.Sessions.Actions(r.Context(), r.PathValue("id"), after, limit)
	if err != nil {
		return err
	}
	return reply(w, map[string]any{"actions": list})
}

// Frame is a frame in JSON: Body for kinds that are JSON themselves, Bytes
// (base64) for protocol bytes.
type Frame struct {
	Seq    uint64          `json:"seq"`
	Time   time.Time       `json:"time"`
	Kind   string          `json:"kind"`
	Action uint64          `json:"action,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Bytes  []byte          `json:"bytes,omitempty"`
}

var kinds = map[record.Kind]string{
	record.KindOpen: "open", record.KindAction: "action", record.KindRequest: "request", record.KindResponse: "response",
	record.KindHold: "hold", record.KindResult: "result", record.KindNote: "note", record.KindClose: "close",
}

// FrameOf is the JSON form of a frame. A kind that this version does not know
// keeps its number as its name.
func FrameOf(f record.Frame) Frame {
	name, ok := kinds[f.Kind]
	if !ok {
		name = fmt.Sprintf("kind-%d", f.Kind)
	}
	out := Frame{Seq: f.Seq, Time: f.Time, Kind: name, Action: f.Action}
	if f.Kind != record.KindRequest && f.Kind != record.KindResponse && json.Valid(f.Payload) {
		out.Body = f.Payload
	} else {
		out.Bytes = f.Payload
	}
	return out
}

// Record is the frame as the record has it.
func (f Frame) Record() (record.Frame, error) {
	out := record.Frame{Seq: f.Seq, Time: f.Time, Action: f.Action, Payload: f.Bytes}
	if f.Body != nil {
		out.Payload = f.Body
	}
	for k, name := range kinds {
		if name == f.Kind {
			out.Kind = k
			return out, nil
		}
	}
	if _, err := fmt.Sscanf(f.Kind, "kind-%d", &out.Kind); err != nil {
		return out, fmt.Errorf("frame %d: unknown kind %q", f.Seq, f.Kind)
	}
	return out, nil
}

// frames streams a record as JSON lines. A record that turns out to be damaged ends
// with a line {"error": …}, since the status has gone out by then.
func (h *handler) frames(w http.ResponseWriter, r *http.Request, _ Caller) error {
	src, err := h.Sessions.Frames(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	defer src.Close()
	w.Header().Set("Content-Type", "application/jsonl")
	out := bufio.NewWriterSize(w, 64<<10)
	defer out.Flush()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	control := http.NewResponseController(w)
	for r.Context().Err() == nil {
		f, err := src.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		_ = control.SetWriteDeadline(time.Now().Add(sendTimeout))
		if err != nil {
			h.Log.Error("api: reading a record", "session", r.PathValue("id"), "err", err)
			_ = enc.Encode(errorBody{apiError{"damaged", err.Error()}})
			return nil
		}
		if enc.Encode(FrameOf(f)) != nil {
			return nil
		}
	}
	return nil
}

// tail follows a session as events "frame", then one event "end".
func (h *handler) tail(w http.ResponseWriter, r *http.Request, _ Caller) error {
	q := query{r: r}
	history := q.flag("history")
	if q.err != nil {
		return q.err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	src, err := h.Sessions.Tail(ctx, r.PathValue("id"), history != nil && *history)
	if err != nil {
		return err
	}
	defer src.Close()
	e := startEvents(w)
	next, stop := make(chan Frame), make(chan struct{})
	ended := make(chan error, 1)
	defer func() { cancel(); close(stop); <-ended }() // src is closed only when nobody reads it
	go func() { ended <- follow(src, next, stop) }()
	for {
		select {
		case f := <-next:
			if e.send("frame", f) != nil {
				return nil
			}
		case err := <-ended:
			ended <- err
			reason := map[string]string{}
			if !errors.Is(err, io.EOF) && r.Context().Err() == nil {
				reason["error"] = err.Error()
			}
			_ = e.send("end", reason)
			return nil
		case <-e.beat.C:
			if e.comment("") != nil {
				return nil
			}
		}
	}
}

// follow reads frames ahead of the writer, so that heartbeats go on between them.
func follow(src Frames, next chan<- Frame, stop <-chan struct{}) error {
	for {
		f, err := src.Next()
		if err != nil {
			return err
		}
		one := FrameOf(f)
		one.Body, one.Bytes = append(json.RawMessage(nil), one.Body...), append([]byte(nil), one.Bytes...)
		if len(one.Body) == 0 {
			one.Body = nil
		}
		select {
		case next <- one:
		case <-stop:
			return io.EOF
		}
	}
}

// EndRequest ends a live session.
type EndRequest struct {
	Reason string `json:"reason,omitempty"`
}

func (h *handler) endSession(w http.ResponseWriter, r *http.Request, c Caller) error {
	var q EndRequest
	if err := decode(r, &q); err != nil {
		return err
	}
	id := r.PathValue("id")
	h.Log.Info("a session is ended by hand", "session", id, "by", c.Identity.Chain(), "via", c.Via, "reason", q.Reason)
	if err := h.Sessions.End(r.Context(), id, q.Reason); err != nil {
		return err
	}
	return reply(w, map[string]string{"session": id, "state": "ending"})
}

func (h *handler) loseSession(w http.ResponseWriter, r *http.Request, c Caller) error {
	id := r.PathValue("id")
	h.Log.Warn("a record is closed as lost", "session", id, "by", c.Identity.Chain(), "via", c.Via)
	if err := h.Sessions.Lost(r.Context(), id); err != nil {
		return err
	}
	return reply(w, map[string]string{"session": id, "state": "lost"})
}

func (h *handler) deleteSession(w http.ResponseWriter, r *http.Request, c Caller) error {
	id := r.PathValue("id")
	h.Log.Warn("a record is deleted", "session", id, "by", c.Identity.Chain(), "via", c.Via)
	if err := h.Sessions.Delete(r.Context(), id); err != nil {
		return err
	}
	return reply(w, map[string]string{"session": id, "state": "deleted"})
}
