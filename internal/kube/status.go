package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Status is metav1.Status, an API server's way to say how something ended.
type Status struct {
	Kind       string   `json:"kind,omitempty"`
	APIVersion string   `json:"apiVersion,omitempty"`
	Metadata   struct{} `json:"metadata"`
	Status     string   `json:"status"`
	Message    string   `json:"message,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Details    *Details `json:"details,omitempty"`
	Code       int      `json:"code,omitempty"`
}

// Details says more of what a Status is about.
type Details struct {
	Name              string  `json:"name,omitempty"`
	Group             string  `json:"group,omitempty"`
	Kind              string  `json:"kind,omitempty"`
	Causes            []Cause `json:"causes,omitempty"`
	RetryAfterSeconds int     `json:"retryAfterSeconds,omitempty"`
}

// Cause is one thing that is wrong.
type Cause struct {
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	Field   string `json:"field,omitempty"`
}

// Words of Status.Status, and how a command's exit code is said (client-go's remotecommand).
const (
	success    = "Success"
	failure    = "Failure"
	reasonExit = "NonZeroExitCode"
	causeExit  = "ExitCode"
)

// reasons are metav1.StatusReason by HTTP status; of others it is InternalError.
var reasons = map[int]string{400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 405: "MethodNotAllowed", 413: "RequestEntityTooLarge", 415: "UnsupportedMediaType",
	429: "TooManyRequests", 503: "ServiceUnavailable"}

// Failed is a refusal with an HTTP status.
func Failed(code int, message string) *Status {
	reason := reasons[code]
	if reason == "" {
		reason = "InternalError"
	}
	return &Status{Kind: "Status", APIVersion: "v1", Status: failure, Message: message, Reason: reason, Code: code}
}

// Tell adds something for programs to read, as a cause; "" adds nothing.
func (s *Status) Tell(reason, text string) {
	if text == "" {
		return
	}
	if s.Details == nil {
		s.Details = &Details{}
	}
	s.Details.Causes = append(s.Details.Causes, Cause{Reason: reason, Message: text})
}

// Reasons of the causes that tell programs what a refusal of the gateway's is; the messages are those of a notice.
const (
	CauseCode     = "DragomanCode"
	CauseRule     = "DragomanRule"
	CauseHint     = "DragomanHint" // what is allowed, or to be done, instead
	CauseHold     = "DragomanHold"
	CauseURL      = "DragomanURL" // where people see the hold
	CauseInstance = "DragomanInstance"
)

// ParseStatus reads what an API server says.
func ParseStatus(b []byte) (*Status, error) {
	var s Status
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("not a Status: %w", err)
	}
	if s.Status != success && s.Status != failure {
		return nil, errors.New("not a Status")
	}
	return &s, nil
}

// Refuses reports whether it says no.
func (s *Status) Refuses() bool { return s.Status == failure }

// JSON is its form on the wire.
func (s *Status) JSON() []byte {
	b, err := json.Marshal(s)
	if err != nil { // it is made of strings and numbers
		return []byte(`{"status":"Failure"}`)
	}
	return b
}

// Exit is the exit code of a command that it tells.
func (s *Status) Exit() (code string, ok bool) {
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

// Masked is the Status of somebody who may not be believed: its words are masked, and what else it says is left out.
func (s *Status) Masked(mask func(string) string) *Status {
	out := *s
	out.Kind, out.APIVersion, out.Message = "Status", "v1", mask(s.Message)
	if s.Details != nil {
		d := Details{Name: s.Details.Name, Kind: s.Details.Kind}
		for _, c := range s.Details.Causes {
			c.Message = mask(c.Message)
			d.Causes = append(d.Causes, c)
		}
		out.Details = &d
	}
	return &out
}
