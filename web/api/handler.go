package api

import (
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
	Guard
}

// New makes the API's handler. The two listeners have one each, with their own
// Access over the same Backend.
func New(b Backend, a Access) http.Handler {
	h := &handler{Guard{Backend: b, Access: a}}
	h.Fail, h.Unauthenticated = h.fail, unauthenticated
	mux := http.NewServeMux()
	for _, r := range h.routes() {
		h.Handle(mux, r)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		h.fail(w, req, fmt.Errorf("%w: no such path or method; see /openapi.json", ErrNotFound))
	})
	// For browsers that are led to an answer which is for programs.
	return Headers("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", mux)
}

// Headers tells browsers what they may make of what is answered: what the content security policy says, and nothing for other sites.
func Headers(policy string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

func unauthenticated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="dragoman"`)
	answer(w, http.StatusUnauthorized, errorBody{Error: apiError{"unauthenticated", errUnauthenticated.Error()}})
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
	status, code, message := h.Explain(r, err)
	if status != 0 {
		answer(w, status, errorBody{apiError{code, message}})
	}
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
