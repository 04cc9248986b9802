package httpcred

import (
	"fmt"
	"net/url"
	"strings"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
)

// extraPrefix is that of the extra fields of a user by which the cluster's own log tells who acted.
const extraPrefix = "impersonate-extra-"

// impersonation has an API server take the request for that of who acts, with the chain and the session as extra
// fields. Names that a cluster keeps for itself (system:…) are refused, and such groups left out: a token that says
// system:masters must not be that.
func impersonation(of Session) ([]check.Header, error) {
	id := of.Identity
	if !sendable(id.Subject) || strings.HasPrefix(strings.ToLower(id.Subject), "system:") {
		return nil, fmt.Errorf("the subject cannot be impersonated in a cluster")
	}
	out := []check.Header{{Name: "impersonate-user", Value: id.Subject}}
	for _, g := range id.Groups {
		if sendable(g) && !strings.HasPrefix(strings.ToLower(g), "system:") {
			out = append(out, check.Header{Name: "impersonate-group", Value: g})
		}
	}
	return append(out, extras(id, of.ID)...), nil
}

func extras(id identity.Identity, session string) []check.Header {
	var out []check.Header
	add := func(name, value string) {
		if sendable(value) {
			out = append(out, check.Header{Name: extraPrefix + strings.ToLower(url.QueryEscape("dragoman.dev/"+name)), Value: value})
		}
	}
	add("session", session)
	add("on-behalf-of", id.OnBehalfOf)
	for _, a := range id.Actors {
		add("actor", a)
	}
	return out
}

// sendable reports whether a text can be a header field's value, as it is.
func sendable(s string) bool {
	return s != "" && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7F })
}
