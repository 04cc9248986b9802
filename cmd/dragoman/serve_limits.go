package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"dragoman.dev/dragoman/web/api"
)

// limits bound what those who have not proven who they are can keep busy at the admin address.
type limits struct {
	header, body, idle time.Duration // to read a request's head, its body, and until the next one
	conns              int           // open at a time; more wait
}

var adminLimits = limits{header: 10 * time.Second, body: 30 * time.Second, idle: 2 * time.Minute, conns: 1000}

// adminBody bounds a request's body, in bytes. All that is taken at the admin address is smaller.
const adminBody = 1 << 20

func adminServer(h http.Handler, l limits) *http.Server {
	return &http.Server{Handler: wholeBody(h, l.body), ConnContext: api.ConnContext, ReadHeaderTimeout: l.header, IdleTimeout: l.idle, MaxHeaderBytes: 64 << 10}
}

// wholeBody reads bodies before anything is done, so that who sends one slowly keeps no more than a connection, and not for long.
func wholeBody(next http.Handler, within time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		c := http.NewResponseController(w)
		_ = c.SetReadDeadline(time.Now().Add(within)) // every connection that we serve has them
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, adminBody))
		if err != nil {
			status, long := http.StatusRequestTimeout, (*http.MaxBytesError)(nil)
			if errors.As(err, &long) {
				status = http.StatusRequestEntityTooLarge
			}
			w.Header().Set("Connection", "close")
			http.Error(w, http.StatusText(status), status)
			return
		}
		_ = c.SetReadDeadline(time.Time{}) // streams go on for as long as they like
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		next.ServeHTTP(w, r)
	})
}
