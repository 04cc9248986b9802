package http

import (
	"net"
	"strconv"
	"strings"
	"time"

	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/session"
)

// openTimeout bounds the question to authz; one that policy holds for people waits longer.
const openTimeout = 10 * time.Minute

// proof is what a request proves its sender with.
type proof struct {
	token      string
	spiffe     string
	certDigest string
	// inProxy says that the token came as Proxy-Authorization, so that Authorization is for the target.
	inProxy bool
}

func (p proof) none() bool { return p.token == "" && p.spiffe == "" }

// identify takes the proof from a request's header fields and connection.
func (s *stream) identify(list header.List) (proof, *problem) {
	var p proof
	if !s.cfg.AllowCleartext && !s.host.TLS().Active {
		return p, &problem{Status: 403, Code: "tls_required", Detail: "This gateway takes credentials over TLS only.", Hint: "Use https."}
	}
	name := "authorization"
	if list.Count("proxy-authorization") > 0 {
		name, p.inProxy = "proxy-authorization", true
	}
	if list.Count(name) > 1 {
		return p, &problem{Status: 400, Code: "ambiguous_credential", Detail: "There are several " + name + " fields."}
	}
	p.token = bearer(list.Get(name))
	if s.cfg.ClientCA {
		p.spiffe, p.certDigest = s.certificate(list)
	}
	if p.none() {
		return p, &problem{Status: 401, Code: check.CodeUnauthenticated, Detail: "This target needs a credential.",
			Hint: "Send a Dragoman token: Authorization: Bearer TOKEN (dragoman token create --subject agent:NAME)."}
	}
	if p.inProxy && p.token != "" && bearer(list.Get("authorization")) == p.token {
		p.inProxy = false // the agent's credential stops here, wherever it stands
	}
	if p.token == "" { // a certificate proves who asks: Authorization is for the target
		p.inProxy = true
	}
	return p, nil
}

// bearer is the token of "Bearer TOKEN", "" for anything else.
func bearer(v string) string {
	scheme, token, ok := strings.Cut(v, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// certificate is the SPIFFE ID and the digest of the client's certificate, which Envoy has verified. It must
// have exactly one URI name: Envoy tells the first, and lists all in X-Forwarded-Client-Cert, which it sets itself.
func (s *stream) certificate(list header.List) (id, digest string) {
	tls := s.host.TLS()
	if len(tls.URISANs) != 1 || list.Count("x-forwarded-client-cert") != 1 {
		return "", ""
	}
	uris := 0
	for part := range strings.FieldsFuncSeq(list.Get("x-forwarded-client-cert"), func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(name, "uri") {
			continue
		}
		if uris++; value != tls.URISANs[0] {
			return "", ""
		}
	}
	if uris != 1 {
		return "", ""
	}
	return tls.URISANs[0], tls.CertSHA256
}

// key is what makes requests belong to one session: the same target, the same proof, the same client.
func (s *stream) key(p proof) string {
	host, _, err := net.SplitHostPort(s.client)
	if err != nil {
		host = s.client
	}
	return session.SpanKey("http", s.cfg.Target.Name, p.token, p.spiffe, p.certDigest, host,
		strconv.FormatUint(s.t.generation.Load(), 10))
}

func (s *stream) opening(p proof, list header.List) session.SpanOpening {
	return session.SpanOpening{
		Request: check.OpenRequest{Target: s.cfg.Target.Name, Token: p.token, SPIFFE: p.spiffe, CertDigest: p.certDigest,
			Session: policy.Session{Client: s.client, Application: short(list.Get("user-agent"), 256)}},
		Mode:    s.cfg.mode,
		Limits:  session.Limits{Idle: s.cfg.Limits.IdleTimeout},
		Timeout: openTimeout,
	}
}

func short(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}
