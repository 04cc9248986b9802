package api

import (
	"fmt"
	"net/http"
)

func (h *handler) health(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	return reply(w, map[string]string{"status": "ok"})
}

// ready answers 503 until every listener of the local Envoy serves.
func (h *handler) ready(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	if !h.System.Status().Ready {
		answer(w, http.StatusServiceUnavailable, errorBody{apiError{"not_ready", "a listener does not serve yet"}})
		return nil
	}
	return reply(w, map[string]string{"status": "ready"})
}

func (h *handler) openapi(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(openapi)
	return err
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	return reply(w, h.System.Status())
}

func (h *handler) policy(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	return reply(w, h.System.Status().Policy)
}

func (h *handler) nodes(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	return reply(w, map[string]any{"nodes": h.System.Status().Nodes})
}

func (h *handler) metrics(w http.ResponseWriter, r *http.Request, _ Caller) error {
	b, err := h.System.Metrics(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, err = w.Write(b)
	return err
}

func (h *handler) envoyMetrics(w http.ResponseWriter, r *http.Request, _ Caller) error {
	b, err := h.System.EnvoyMetrics(r.Context())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, err = w.Write(b)
	return err
}

// LoginCode signs a browser in: GET /login/code?code=… on the HTTP port, once and within a minute.
type LoginCode struct {
	Code string `json:"code"`
}

// loginCode lets an administrator of this machine into the page. Over the port, whoever has a token signs in with that.
func (h *handler) loginCode(w http.ResponseWriter, _ *http.Request, c Caller) error {
	switch {
	case c.Via != ViaSocket:
		return fmt.Errorf("%w: only the admin socket gives codes; sign in with your token", ErrConflict)
	case h.Logins == nil:
		return fmt.Errorf("%w: there is no page: give admin.listen in the configuration", ErrConflict)
	}
	h.Log.Info("a code for the page is given", "to", c.Identity.Chain())
	return reply(w, LoginCode{h.Logins.Code(c)})
}
