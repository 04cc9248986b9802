package kube

import (
	"errors"
	"net/http"
	"strconv"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// maxStatus is how many bytes a target may say of how something ended.
const maxStatus = 64 << 10

func forbidden(words string) *kube.Status { return kube.Failed(http.StatusForbidden, words) }
func bad(words string) *kube.Status {
	return kube.Failed(http.StatusBadRequest, "dragoman: "+words)
}
func unauthorized(words string) *kube.Status { return kube.Failed(http.StatusUnauthorized, words) }
func unavailable(words string) *kube.Status {
	return kube.Failed(http.StatusServiceUnavailable, "dragoman: "+words)
}
func fault(words string) *kube.Status {
	return kube.Failed(http.StatusInternalServerError, "dragoman: "+words)
}

// refused says no in the words of authz.
func refused(err error) *kube.Status {
	var no *check.Refusal
	if !errors.As(err, &no) {
		return unavailable("this gateway cannot open sessions now")
	}
	words := "dragoman: " + gate.Printable(no.Message, 2048)
	if no.Hint != "" {
		words += ". " + gate.Printable(no.Hint, 1024)
	}
	switch no.Code {
	case check.CodeUnauthenticated:
		return unauthorized(words)
	case check.CodeForbidden:
		if no.Rule != "" {
			words += " [" + gate.Printable(no.Rule, 256) + "]"
		}
		return forbidden(words)
	}
	return kube.Failed(http.StatusServiceUnavailable, words)
}

// write answers a request that is not upgraded.
func write(w http.ResponseWriter, s *kube.Status) {
	b := s.JSON()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache, private")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	if s.Code == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="dragoman"`)
	}
	w.WriteHeader(s.Code)
	_, _ = w.Write(b) // a client that is gone needs none
}
