package kube

import (
	"errors"
	"net/http"
	"strconv"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// maxStatus is how many bytes a target may say of how something ended.
const maxStatus = 64 << 10

func forbidden(words string) *kube.Status { return kube.Failed(http.StatusForbidden, words) }

// notPassed says why an action does not run, for people and for programs.
func notPassed(err error) *kube.Status {
	var no *gate.Refusal
	if !errors.As(err, &no) {
		return forbidden(gate.Printable(err.Error(), 2048))
	}
	return noted(forbidden(no.Words), no.Notice)
}

// noted adds what programs read.
func noted(s *kube.Status, n notice.Notice) *kube.Status {
	s.Tell(kube.CauseCode, n.Code)
	s.Tell(kube.CauseRule, n.Rule)
	s.Tell(kube.CauseHint, n.Instead)
	s.Tell(kube.CauseHold, n.Hold)
	s.Tell(kube.CauseURL, n.URL)
	return s
}

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
	code := http.StatusServiceUnavailable
	switch no.Code {
	case check.CodeUnauthenticated:
		code = http.StatusUnauthorized
	case check.CodeForbidden:
		code = http.StatusForbidden
		if no.Rule != "" {
			words += " [" + gate.Printable(no.Rule, 256) + "]"
		}
	}
	return noted(kube.Failed(code, words), notice.Refused(no))
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
