package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/replay"
	"dragoman.dev/dragoman/web/api"
)

// maxPlayed bounds what a player is given, in bytes.
const maxPlayed = 64 << 20

var errPlayedLarge = errors.New("the record is too large for the page")

// bounded is a buffer with an end.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPlayed {
		return 0, errPlayedLarge
	}
	return b.Buffer.Write(p)
}

// played gives a player a session in its form. none is write's error for a session that has nothing to play, command
// what has all of one that is too large.
func (s *server) played(w http.ResponseWriter, r *http.Request, form, command string, none error, write func(context.Context, io.Writer, api.Frames) error) error {
	src, err := s.Sessions.Frames(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	defer src.Close()
	var out bounded
	switch err := write(r.Context(), &out, src); {
	case errors.Is(err, none):
		return fmt.Errorf("%w: this session has nothing to play", api.ErrNotFound)
	case errors.Is(err, errPlayedLarge):
		return fmt.Errorf("%w: %w; %s has all of it", api.ErrConflict, err, command)
	case err != nil:
		return err
	}
	w.Header().Set("Content-Type", form)
	_, _ = w.Write(out.Bytes())
	return nil
}

// cast is a session's terminal as an asciicast.
func (s *server) cast(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	return s.played(w, r, "application/x-asciicast", "dragoman sessions export --format asciicast", export.ErrFormat,
		func(_ context.Context, out io.Writer, src api.Frames) error {
			return export.WriteAsciicast(out, r.PathValue("id"), src)
		})
}

// pictureTime is how far pictures of a desktop are apart at least.
const pictureTime = 250 * time.Millisecond

// movie is a session's desktop.
func (s *server) movie(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	return s.played(w, r, "application/x-ndjson", "dragoman sessions replay --png", replay.ErrNoPictures,
		func(ctx context.Context, out io.Writer, src api.Frames) error {
			return replay.Movie(ctx, out, src, pictureTime)
		})
}

// playerData is what a player's page is about.
type playerData struct {
	audit.Session
	Check checkView
}

// screen is the page with the desktop's player.
func (s *server) screen(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	one, err := s.Sessions.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	s.show(w, r, http.StatusOK, "screen", playerData{one, s.check(r.Context(), one, checkPatience)})
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
	s.show(w, r, http.StatusOK, "terminal", playerData{one, s.check(r.Context(), one, checkPatience)})
	return nil
}
