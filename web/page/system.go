package page

import (
	"net/http"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/web/api"
)

type statusData struct {
	Status  api.Status
	Targets []TargetState
	Nodes   []NodeState
}

// status is the gateway: what it stands before, and the Envoys that do its work.
func (s *server) status(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	d := statusData{Status: s.System.Status(), Targets: s.console.Targets(r.Context()), Nodes: s.console.Nodes()}
	s.show(w, r, http.StatusOK, "status", d)
	return nil
}

const tokensShown = 200

func (s *server) tokens(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	list, err := s.Tokens.List(r.Context(), r.URL.Query().Get("all") != "", tokensShown)
	if err != nil {
		return err
	}
	s.show(w, r, http.StatusOK, "tokens", struct{ Tokens []token.Issued }{list})
	return nil
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	if _, err := s.Tokens.Revoke(r.Context(), r.PostFormValue("id"), c.Identity.Chain(), r.PostFormValue("reason")); err != nil {
		return err
	}
	http.Redirect(w, r, "/tokens", http.StatusSeeOther)
	return nil
}

const readsShown = 200

func (s *server) reads(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	if err := s.RecordRead(r, c, access.Reads); err != nil {
		return err
	}
	q := r.URL.Query()
	list, err := s.Reads.List(r.Context(), access.Filter{Session: q.Get("session"), Identity: q.Get("identity"), Limit: readsShown})
	if err != nil {
		return err
	}
	s.show(w, r, http.StatusOK, "reads", struct{ Reads []access.Entry }{list})
	return nil
}
