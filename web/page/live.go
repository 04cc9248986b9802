package page

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/api"
)

// liveLine is one frame of a session that is followed.
type liveLine struct {
	Protocol string
	Time     time.Time
	Kind     string
	Ordinal  uint64
	Action   *record.ActionPayload
	Result   *record.Result
	Bytes    int
}

// lineOf is nil for frames that a tail leaves out.
func lineOf(f record.Frame) *liveLine {
	l := &liveLine{Time: f.Time, Ordinal: f.Action}
	switch f.Kind {
	case record.KindAction:
		l.Kind, l.Action = "action", &record.ActionPayload{}
		if json.Unmarshal(f.Payload, l.Action) != nil {
			return nil
		}
		l.Action.Action.Text = l.Action.Action.Text[:min(len(l.Action.Action.Text), maxText)]
	case record.KindResult:
		l.Kind, l.Result = "result", &record.Result{}
		if json.Unmarshal(f.Payload, l.Result) != nil {
			return nil
		}
	case record.KindHold:
		l.Kind = "hold"
	default:
		return nil
	}
	return l
}

// tail follows a session: an event "line" with a piece of the page for each action, hold and result, and an event "end".
func (s *server) tail(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	one, err := s.Sessions.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	src, err := s.Sessions.Tail(ctx, r.PathValue("id"), false)
	if err != nil {
		cancel()
		return err
	}
	next, ended := make(chan *liveLine), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			f, err := src.Next()
			if err != nil {
				return
			}
			if l := lineOf(f); l != nil {
				l.Protocol = one.Protocol
				select {
				case next <- l:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	defer func() { cancel(); <-ended; src.Close() }() // closed when nobody reads it
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := ": hello\n\n"
	for {
		_ = out.SetWriteDeadline(time.Now().Add(2 * heartbeat))
		if _, err := io.WriteString(w, text); err != nil || out.Flush() != nil {
			return nil
		}
		select {
		case l := <-next:
			if text, err = s.event(l); err != nil {
				return nil
			}
		case <-beat.C:
			if _, err := s.logins.Caller(r); err != nil {
				return nil // signed out, or its token was revoked
			}
			text = ": \n\n"
		case <-ended:
			_, _ = io.WriteString(w, "event: end\ndata: \n\n")
			_ = out.Flush()
			return nil
		}
	}
}

// event renders a line; JSON has no line ends in it.
func (s *server) event(l *liveLine) (string, error) {
	var b strings.Builder
	if err := s.pages["session"].ExecuteTemplate(&b, "line", l); err != nil {
		s.Log.Error("page: a template failed", "page", "session", "err", err)
		return "", err
	}
	j, err := json.Marshal(b.String())
	return fmt.Sprintf("event: line\ndata: %s\n\n", j), err
}
