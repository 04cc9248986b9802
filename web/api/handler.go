package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

//go:embed openapi.json
var openapi []byte

// maxBody bounds a request's body, in bytes.
const maxBody = 1 << 20

// handler serves the API for one kind of access.
type handler struct {
	Backend
	access Access
}

// route is a handler's function with who may call it.
type route struct {
	pattern string
	role    Role // "" for everybody
	serve   func(http.ResponseWriter, *http.Request, Caller) error
}

// New makes the API's handler. The two listeners have one each, with their own
// Access over the same Backend.
func New(b Backend, a Access) http.Handler {
	h := &handler{Backend: b, access: a}
	mux := http.NewServeMux()
	for _, r := range h.routes() {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { h.serve(w, req, r) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		h.fail(w, req, fmt.Errorf("%w: no such path or method; see /openapi.json", ErrNotFound))
	})
	return mux
}

func (h *handler) routes() []route {
	return []route{
		{"GET /healthz", "", h.health},
		{"GET /readyz", "", h.ready},
		{"GET /openapi.json", "", h.openapi},
		{"GET /metrics", Read, h.metrics},
		{"GET /metrics/envoy", Read, h.envoyMetrics},
		{"GET /v1/status", Read, h.status},
		{"GET /v1/policy", Read, h.policy},
		{"GET /v1/nodes", Read, h.nodes},
		{"POST /v1/tokens", Admin, h.mint},
		{"GET /v1/tokens", Admin, h.listTokens},
		{"POST /v1/tokens/revoke", Admin, h.revoke},
		{"GET /v1/approvals", Read, h.listHolds},
		{"GET /v1/approvals/watch", Read, h.watchHolds},
		{"GET /v1/approvals/{id}", Read, h.showHold},
		{"POST /v1/approvals/{id}/approve", Approve, h.approve},
		{"POST /v1/approvals/{id}/deny", Approve, h.deny},
		{"GET /v1/sessions", Read, h.listSessions},
		{"GET /v1/sessions/{id}", Read, h.showSession},
		{"GET /v1/sessions/{id}/actions", Read, h.actions},
		{"GET /v1/sessions/{id}/frames", Read, h.frames},
		{"GET /v1/sessions/{id}/tail", Read, h.tail},
		{"POST /v1/sessions/{id}/end", Admin, h.endSession},
		{"POST /v1/sessions/{id}/lost", Admin, h.loseSession},
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request, to route) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	var c Caller
	if to.role != "" {
		var err error
		if c, err = h.access.Caller(r); err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="dragoman"`)
			answer(w, http.StatusUnauthorized, errorBody{Error: apiError{"unauthenticated", errUnauthenticated.Error()}})
			return
		}
		if !c.may(to.role) {
			h.fail(w, r, fmt.Errorf("%w: %s needs the role %s", ErrForbidden, c.Identity.Subject, to.role))
			return
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := to.serve(w, r, c); err != nil {
		h.fail(w, r, err)
	}
}

// apiError is the body of every answer that is not a success.
type apiError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type errorBody struct {
	Error apiError `json:"error"`
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	for _, k := range []struct {
		is     error
		status int
		code   string
	}{
		{ErrNotFound, http.StatusNotFound, "not_found"},
		{ErrForbidden, http.StatusForbidden, "forbidden"},
		{ErrConflict, http.StatusConflict, "conflict"},
		{ErrInvalid, http.StatusBadRequest, "invalid"},
	} {
		if errors.Is(err, k.is) {
			answer(w, k.status, errorBody{apiError{k.code, err.Error()}})
			return
		}
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the client has gone
	}
	h.Log.Error("api: a request failed", "path", r.URL.Path, "err", err)
	answer(w, http.StatusInternalServerError, errorBody{apiError{"internal", "internal error; the control plane's log has the cause"}})
}

func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer cannot be encoded"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// reply answers 200 with v.
func reply(w http.ResponseWriter, v any) error {
	answer(w, http.StatusOK, v)
	return nil
}

// decode reads a JSON body strictly; an empty one leaves v as it is.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// query reads parameters and remembers the first that is malformed.
type query struct {
	r   *http.Request
	err error
}

func (q *query) text(name string) string { return q.r.URL.Query().Get(name) }

func (q *query) number(name string) uint64 {
	s := q.text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 31)
	q.note(name, err)
	return n
}

func (q *query) flag(name string) *bool {
	s := q.text(name)
	if s == "" {
		return nil
	}
	v, err := strconv.ParseBool(s)
	q.note(name, err)
	return &v
}

func (q *query) moment(name string) time.Time {
	s := q.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	q.note(name, err)
	return t
}

func (q *query) note(name string, err error) {
	if err != nil && q.err == nil {
		q.err = fmt.Errorf("%w: parameter %s: %w", ErrInvalid, name, err)
	}
}
