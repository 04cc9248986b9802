package page

import (
	"bufio"
	"errors"
	"io"
	"net/http"

	"dragoman.dev/dragoman/web/api"
)

// stream is all that the session's chain is over, frame by frame: headers and payloads as the record has them, and no hashes. A
// browser computes those itself. What cannot be read on breaks off, so that it is not taken for whole.
func (s *server) stream(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	src, err := s.Sessions.Frames(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	defer src.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment")
	out := bufio.NewWriterSize(w, 256<<10)
	var b []byte
	for {
		f, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			s.Log.Error("page: a record cannot be read on", "session", r.PathValue("id"), "err", err)
			_ = out.Flush() // what is good of it can be checked
			panic(http.ErrAbortHandler)
		}
		b = f.AppendChained(b[:0])
		if _, err := out.Write(b); err != nil {
			return nil // the browser has gone
		}
	}
	_ = out.Flush()
	return nil
}
