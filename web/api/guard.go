package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"dragoman.dev/dragoman/internal/access"
)

// Guard serves routes under rules that are the same for programs and for people: who calls, which roles
// may, and that what reads a session is recorded before it is served.
type Guard struct {
	Backend
	Access Access
	// Fail answers a request that failed or was refused; Explain says with what. Unauthenticated answers one
	// whose caller is not known.
	Fail            func(http.ResponseWriter, *http.Request, error)
	Unauthenticated func(http.ResponseWriter, *http.Request)
}

// Route is a handler's function with who may call it.
type Route struct {
	Pattern string // http.ServeMux's
	Roles   []Role // any of them, or admin; nil for everybody
	// Way says that it reads the session {id}, and how (access.Show …): that is recorded before it is served.
	Way   string
	Serve func(http.ResponseWriter, *http.Request, Caller) error
}

// Handle adds a route.
func (h *Guard) Handle(mux *http.ServeMux, to Route) {
	mux.HandleFunc(to.Pattern, func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, to) })
}

func (h *Guard) serve(w http.ResponseWriter, r *http.Request, to Route) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	var c Caller
	if to.Roles != nil {
		var err error
		if c, err = h.Access.Caller(r); err != nil {
			if errors.Is(err, ErrInvalid) {
				h.Fail(w, r, err)
				return
			}
			if _, tried := TokenOf(r); tried && h.Lockout.Strike(r.Context(), r.RemoteAddr) {
				w.Header().Set("Retry-After", "6")
				h.Fail(w, r, ErrTooMany)
				return
			}
			h.Unauthenticated(w, r)
			return
		}
		if err := h.allow(r, to, c); err != nil {
			h.Fail(w, r, err)
			return
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := to.Serve(w, r, c); err != nil {
		h.Fail(w, r, err)
	}
}

// Explain gives an error's status, its stable code, and what the caller is told. A status of zero says that
// the caller has gone.
func (h *Guard) Explain(r *http.Request, err error) (status int, code, message string) {
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
		{ErrTooMany, http.StatusTooManyRequests, "too_many_attempts"},
	} {
		if errors.Is(err, k.is) {
			return k.status, k.code, err.Error()
		}
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return 0, "", ""
	}
	h.Log.Error("api: a request failed", "path", r.URL.Path, "err", err)
	return http.StatusInternalServerError, "internal", "internal error; the control plane's log has the cause"
}

// allow checks the caller's roles, and records what reads a session: refused or not.
func (h *Guard) allow(r *http.Request, to Route, c Caller) error {
	roles, id := to.Roles, r.PathValue("id")
	if to.Way != "" && access.Is(id) {
		roles = []Role{Auditor} // who reads whom is not for those who are read about
	}
	var refused error
	switch {
	case c.Via != ViaSocket && r.Header.Get(AsHeader) != "":
		refused = fmt.Errorf("%w: only the admin socket may state who acts; here it is the token's identity", ErrForbidden)
	case !c.may(roles...):
		refused = fmt.Errorf("%w: %s needs the role %s", ErrForbidden, c.Identity.Subject, wanted(roles))
	}
	if to.Way == "" {
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

// RecordRead records a read that is of no single session, before it is shown.
func (h *Guard) RecordRead(r *http.Request, c Caller, way string) error {
	return h.record(r, c, way, r.URL.RawQuery, nil)
}

// RecordReadOf is RecordRead, of what text says instead of the query, and of these sessions.
func (h *Guard) RecordReadOf(r *http.Request, c Caller, way, text string, sessions ...string) error {
	return h.record(r, c, way, text, nil, sessions...)
}
