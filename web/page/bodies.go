package page

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/api"
)

// bodyPiece is a piece of a body's exact text.
type bodyPiece struct {
	Session string
	Ordinal uint64
	Side    string
	Text    string
	Next    int64 // 0 at the end
}

// eachBody gives the pieces of an action's body that the record has.
func eachBody(src api.Frames, ordinal uint64, side string, f func([]byte) error) error {
	kind := record.KindResponse
	if side == sideRequest {
		kind = record.KindRequest
	}
	for {
		fr, err := src.Next()
		if err != nil {
			return err
		}
		if fr.Action != ordinal {
			continue
		}
		if fr.Kind == record.KindResult {
			return errEnough
		}
		if fr.Kind != kind {
			continue
		}
		if p, err := exchange.Decode(fr.Payload); err == nil && p.Kind == exchange.KindBody {
			if err := f(p.Body); err != nil {
				return err
			}
		}
	}
}

// bodyOf reads the parameters of what is about one side of an action.
func bodyOf(r *http.Request) (n uint64, side string, err error) {
	side = r.URL.Query().Get("side")
	if n, err = strconv.ParseUint(r.PathValue("n"), 10, 63); err != nil || n == 0 {
		return 0, "", fmt.Errorf("%w: %q is not the number of an action", api.ErrInvalid, r.PathValue("n"))
	}
	if side != sideRequest && side != sideResponse {
		return 0, "", fmt.Errorf("%w: side is %s or %s", api.ErrInvalid, sideRequest, sideResponse)
	}
	return n, side, nil
}

// body is the next piece of a body, as it was sent or delivered.
func (s *server) body(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	n, side, err := bodyOf(r)
	if err != nil {
		return err
	}
	from, err := strconv.ParseInt("0"+r.URL.Query().Get("from"), 10, 63)
	if err != nil {
		return fmt.Errorf("%w: from is not a number", api.ErrInvalid)
	}
	src, err := s.read(r.Context(), r.PathValue("id"), n, nil)
	if err != nil {
		return err
	}
	defer src.Close()
	d := bodyPiece{Session: r.PathValue("id"), Ordinal: n, Side: side}
	var at int64
	var text []byte
	err = eachBody(src.src, n, side, func(b []byte) error {
		skip := min(max(from-at, 0), int64(len(b)))
		at += int64(len(b))
		if b = b[skip:]; len(b) == 0 {
			return nil
		}
		room := maxPiece - len(text)
		if text = append(text, b[:min(len(b), room)]...); len(b) > room {
			d.Next = from + maxPiece
			return errEnough
		}
		return nil
	})
	if err = ended(err); err != nil {
		return err
	}
	d.Text = string(text)
	return s.part(w, r, "body", d)
}

// exact is a whole body as the record has it, to keep: whatever it is, a browser shows none of it.
func (s *server) exact(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	n, side, err := bodyOf(r)
	if err != nil {
		return err
	}
	src, err := s.read(r.Context(), r.PathValue("id"), n, nil)
	if err != nil {
		return err
	}
	defer src.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%d-%s.bin"`, r.PathValue("id"), n, side))
	wrote := false
	err = eachBody(src.src, n, side, func(b []byte) error {
		wrote = true
		_, err := w.Write(b)
		return err
	})
	if err = ended(err); err != nil && wrote {
		s.Log.Warn("page: a body was not given whole", "session", r.PathValue("id"), "err", err)
		panic(http.ErrAbortHandler) // the client sees that it is not whole
	}
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}

// ended is nil for what ends a reading in order.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errEnough) {
		return nil
	}
	return err
}
