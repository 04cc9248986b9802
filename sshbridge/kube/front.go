package kube

import (
	"net/http"
	"strings"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// front is a request as Envoy saw it. It is believed because only our own Envoy can open the bridge's
// socket, and puts its own fields in the place of what the client sent by these names.
type front struct {
	target, client, tls, spiffe, digest string
	token, agent                        string
}

// frontOf reads Envoy's fields; nil when one is there twice, or what must be there is not.
func frontOf(r *http.Request) *front {
	var f front
	for name, to := range map[string]*string{nodeconfig.HeaderTarget: &f.target, nodeconfig.HeaderClient: &f.client, nodeconfig.HeaderTLS: &f.tls,
		nodeconfig.HeaderURISAN: &f.spiffe, nodeconfig.HeaderCertDigest: &f.digest} {
		v := r.Header.Values(name)
		if len(v) > 1 {
			return nil
		}
		if len(v) == 1 && v[0] != "-" {
			*to = v[0]
		}
	}
	if f.target == "" || f.client == "" {
		return nil
	}
	if strings.Contains(f.spiffe, ",") { // a SPIFFE certificate has exactly one
		f.spiffe = ""
	}
	f.agent = gate.Printable(r.UserAgent(), 128)
	return &f
}

// bearer takes the token; false when the request's authorization cannot be told.
func (f *front) bearer(r *http.Request) bool {
	v := r.Header.Values("Authorization")
	if len(v) == 0 {
		return true
	}
	scheme, token, ok := strings.Cut(v[0], " ")
	token = strings.TrimSpace(token)
	if len(v) != 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > identity.MaxToken {
		return false
	}
	f.token = token
	return true
}
