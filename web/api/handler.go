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
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/access"
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
	roles   []Role // any of them, or admin; nil for everybody
	// way says that it reads the session {id}, and how: that is recorded before it is served.
	way   string
	serve func(http.ResponseWriter, *http.Request, Caller) error
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

func (h *handler) serve(w http.ResponseWriter, r *http.Request, to route) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	var c Caller
	if to.roles != nil {
		var err error
		if c, err = h.access.Caller(r); err != nil {
			if errors.Is(err, ErrInvalid) {
				h.fail(w, r, err)
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="dragoman"`)
			answer(w, http.StatusUnauthorized, errorBody{Error: apiError{"unauthenticated", errUnauthenticated.Error()}})
			return
		}
		if err := h.allow(r, to, c); err != nil {
			h.fail(w, r, err)
			return
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := to.serve(w, r, c); err != nil {
		h.fail(w, r, err)
	}
}

// allow checks the caller's roles, and records what reads a session: refused or not.
func (h *handler) allow(r *http.Request, to route, c Caller) error {
	roles, id := to.roles, r.PathValue("id")
	if to.way != "" && access.Is(id) {
		roles = []Role{Auditor} // who reads whom is not for those who are read about
	}
	var refused error
	switch {
	case c.Via != ViaSocket && r.Header.Get(AsHeader) != "":
		refused = fmt.Errorf("%w: only the admin socket may state who acts; here it is the token's identity", ErrForbidden)
	case !c.may(roles...):
		refused = fmt.Errorf("%w: %s needs the role %s", ErrForbidden, c.Identity.Subject, wanted(roles))
	}
	if to.way == "" {
		return refused
	}
	text := id
	if q := r.URL.RawQuery; q != "" {
		text += " " + q
	}
	if err := h.record(r, c, wayOf(r, to), text, refused, id); err != nil {
		return errors.Join(refused, err)
	}
	return refused
}

func wanted(roles []Role) string {
	names := make([]string, len(roles), len(roles)+1)
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(append(names, string(Admin)), " or ")
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
		{ErrUnavailable, http.StatusServiceUnavailable, "unavailable"},
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
