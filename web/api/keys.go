package api

import "net/http"

// jwks serves the public keys by which targets check Dragoman-Identity.
func (h *handler) jwks(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	if h.IdentityKeys == nil {
		return ErrNotFound
	}
	set, err := h.IdentityKeys()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "max-age=300")
	_, err = w.Write(set)
	return err
}
