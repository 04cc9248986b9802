package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// status is metav1.Status, the API's way to say how something ended.
type status struct {
	Kind       string   `json:"kind,omitempty"`
	APIVersion string   `json:"apiVersion,omitempty"`
	Metadata   struct{} `json:"metadata"`
	Status     string   `json:"status"`
	Message    string   `json:"message,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Details    *details `json:"details,omitempty"`
	Code       int      `json:"code,omitempty"`
}

type details struct {
	Name   string  `json:"name,omitempty"`
	Kind   string  `json:"kind,omitempty"`
	Causes []cause `json:"causes,omitempty"`
}

type cause struct {
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	Field   string `json:"field,omitempty"`
}

// Reasons and causes (k8s.io/apimachinery, metav1.StatusReason; client-go's remotecommand).
const (
	reasonExit   = "NonZeroExitCode"
	causeExit    = "ExitCode"
	maxStatus    = 64 << 10 // bytes that a target may say
	success      = "Success"
	failure      = "Failure"
	reasonNo     = "Forbidden"
	reasonWho    = "Unauthorized"
	reasonBad    = "BadRequest"
	reasonFault  = "InternalError"
	reasonAbsent = "ServiceUnavailable"
)

func failed(code int, reason, message string) *status {
	return &status{Kind: "Status", APIVersion: "v1", Status: failure, Message: message, Reason: reason, Code: code}
}

func forbidden(words string) *status   { return failed(http.StatusForbidden, reasonNo, words) }
func bad(words string) *status         { return failed(http.StatusBadRequest, reasonBad, "dragoman: "+words) }
func unavailable(words string) *status { return failed(503, reasonAbsent, "dragoman: "+words) }
func fault(words string) *status       { return failed(500, reasonFault, "dragoman: "+words) }

// refused says no in the words of authz.
func refused(err error) *status {
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
		return failed(http.StatusUnauthorized, reasonWho, words)
	case check.CodeForbidden:
		if no.Rule != "" {
			words += " [" + gate.Printable(no.Rule, 256) + "]"
		}
		return forbidden(words)
	}
	return failed(503, reasonAbsent, words)
}

func (s *status) json() []byte {
	b, err := json.Marshal(s)
	if err != nil { // it is made of strings and numbers
		return []byte(`{"status":"Failure"}`)
	}
	return b
}

// write answers a request that is not upgraded.
func (s *status) write(w http.ResponseWriter) {
	b := s.json()
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

// parseStatus reads what a target says on the error channel, or in place of an upgrade.
func parseStatus(b []byte) (*status, error) {
	var s status
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("not a Status: %w", err)
	}
	if s.Status != success && s.Status != failure {
		return nil, errors.New("not a Status")
	}
	return &s, nil
}

// exit is the exit code that a status tells.
func (s *status) exit() (code string, ok bool) {
	if s.Status == success {
		return "0", true
	}
	if s.Reason == reasonExit && s.Details != nil {
		for _, c := range s.Details.Causes {
			if n, err := strconv.ParseUint(c.Message, 10, 8); c.Reason == causeExit && err == nil {
				return strconv.FormatUint(n, 10), true
			}
		}
	}
	return "", false
}
