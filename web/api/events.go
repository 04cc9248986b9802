package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// heartbeat keeps proxies from closing a quiet stream.
	heartbeat = 15 * time.Second
	// sendTimeout gives up on a client that does not read.
	sendTimeout = 30 * time.Second
)

// events is a server-sent event stream.
type events struct {
	w    http.ResponseWriter
	c    *http.ResponseController
	beat *time.Ticker
}

func startEvents(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	e := &events{w: w, c: http.NewResponseController(w), beat: time.NewTicker(heartbeat)}
	_ = e.comment("hello")
	return e
}

// send writes one event; JSON has no line ends in it.
func (e *events) send(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return e.write(fmt.Sprintf("event: %s\ndata: %s\n\n", name, b))
}

func (e *events) comment(text string) error { return e.write(": " + text + "\n\n") }

func (e *events) write(s string) error {
	_ = e.c.SetWriteDeadline(time.Now().Add(sendTimeout))
	if _, err := e.w.Write([]byte(s)); err != nil {
		return err
	}
	return e.c.Flush()
}
