package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/api"
)

// liveLine is one frame of a session that is followed.
type liveLine struct {
	Time    time.Time
	Kind    string
	Ordinal uint64
	Action  *record.ActionPayload
	Result  *record.Result
	Bytes   int
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

// maxCast bounds what the player is given, in bytes.
const maxCast = 64 << 20

var errCastLarge = errors.New("the terminal's record is too large for the page")

// bounded is a buffer with an end.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxCast {
		return 0, errCastLarge
	}
	return b.Buffer.Write(p)
}

// cast is a session's terminal as an asciicast, for the player.
func (s *server) cast(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	src, err := s.Sessions.Frames(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	defer src.Close()
	var out bounded
	switch err := export.WriteAsciicast(&out, r.PathValue("id"), src); {
	case errors.Is(err, export.ErrFormat):
		return fmt.Errorf("%w: this session has no terminal", api.ErrNotFound)
	case errors.Is(err, errCastLarge):
		return fmt.Errorf("%w: %w; dragoman sessions export --format asciicast has all of it", api.ErrConflict, err)
	case err != nil:
		return err
	}
	w.Header().Set("Content-Type", "application/x-asciicast")
	_, _ = w.Write(out.Bytes())
	return nil
}

// terminal is the page with the player. Its terminal emulator is WebAssembly, which this page alone may run; it draws
// with style attributes.
func (s *server) terminal(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	one, err := s.Sessions.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", strings.NewReplacer("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'",
		"style-src 'self'", "style-src 'self'; style-src-attr 'unsafe-inline'", "img-src 'self'", "img-src 'self'; font-src 'self' data:").Replace(policyHeader))
	s.show(w, r, http.StatusOK, "terminal", one)
	return nil
}
