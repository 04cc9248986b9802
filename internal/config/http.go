package config

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// HTTP is what only targets of protocol http have.
type HTTP struct {
	// Version is what the target speaks: "1.1" (the default), "2", or "auto" (by ALPN, needs TLS).
	Version string `yaml:"version"`
	// Host is the Host header that the target gets; "" leaves the client's.
	Host string `yaml:"host"`
	// RespondAsync answers a held request at once, with the hold's id, instead of letting it wait.
	RespondAsync bool `yaml:"respond_async"`
	// IdentityHeader adds Dragoman-Identity, the signed identity chain; default true.
	IdentityHeader *bool `yaml:"identity_header"`
	// MCP are the paths of MCP endpoints: their requests are judged call by call.
	MCP []string `yaml:"mcp"`
	// JudgedBody is how many bytes of a request's body are kept back and judged; default 256 KiB.
	JudgedBody Size `yaml:"judged_body"`
	// RecordedBody is how many bytes of each body are recorded. Of what is longer, the record has the head and
	// the SHA-256 of the whole. Default 64 MiB.
	RecordedBody Size `yaml:"recorded_body"`
	// JudgedHeaders names header fields that policy sees beside the usual ones.
	JudgedHeaders []string `yaml:"judged_headers"`
}

// Versions of HTTP towards a target.
const (
	HTTP1    = "1.1"
	HTTP2    = "2"
	HTTPAuto = "auto"
)

// DefaultRecordedBody is how much of a body is recorded.
const DefaultRecordedBody = 64 << 20

// HTTPCredentials is what an http target is authenticated with, in place of user and password.
type HTTPCredentials struct {
	// Header and Value are a header field: "Authorization", "X-Api-Key".
	Header string `yaml:"header"`
	Value  Ref    `yaml:"value"`
	OAuth  *OAuth `yaml:"oauth"`
}

// OAuth gets a bearer token by client credentials (RFC 6749, section 4.4).
type OAuth struct {
	TokenURL     string   `yaml:"token_url"`
	ClientID     Ref      `yaml:"client_id"`
	ClientSecret Ref      `yaml:"client_secret"`
	Scopes       []string `yaml:"scopes"`
	Audience     string   `yaml:"audience"`
	CA           string   `yaml:"ca"`
	// AllowHTTP accepts an http:// token endpoint, on loopback only.
	AllowHTTP bool `yaml:"allow_http"`
}

func (t *Target) completeHTTP(dir string) {
	if !t.OverHTTP() {
		return
	}
	h := &t.HTTP
	setDefault(&h.Version, HTTP1)
	setDefault(&h.RecordedBody, DefaultRecordedBody)
	setDefault(&t.Limits.IdleTimeout, Duration(15*time.Minute))
	if h.IdentityHeader == nil {
		h.IdentityHeader = new(true)
	}
	c := &t.Credentials
	anchorRefs(dir, &c.Value, &c.Token)
	if c.OAuth != nil {
		anchorRefs(dir, &c.OAuth.ClientID, &c.OAuth.ClientSecret)
		anchor(dir, &c.OAuth.CA)
	}
}

// validateHTTP checks what only http targets have, and that others do not have it.
func (c *Config) validateHTTP(p *problems, path string, t *Target) {
	cr := t.Credentials
	if !t.OverHTTP() {
		if t.HTTP.set() {
			p.addf(path+".http", "is for targets of protocol http and kubernetes")
		}
		if cr.Header != "" || cr.Value != "" || cr.OAuth != nil {
			p.addf(path+".credentials", "header, value and oauth are for targets of protocol http and kubernetes")
		}
		return
	}
	h := t.HTTP
	p.oneOf(path+".http.version", h.Version, HTTP1, HTTP2, HTTPAuto)
	if h.Version == HTTPAuto && t.TLS.Upstream.Mode == TLSDisable {
		p.addf(path+".http.version", "auto asks the target within TLS (ALPN), but tls.upstream.mode is disable; say 1.1 or 2")
	}
	if strings.ContainsAny(h.Host, " /\t") {
		p.addf(path+".http.host", "%q is not a host, or host:port", h.Host)
	}
	for i, m := range h.MCP {
		if !strings.HasPrefix(m, "/") {
			p.addf(index(path+".http.mcp", i), "%q is not a path like /mcp", m)
		}
	}
	const maxJudged = 16 << 20
	if h.JudgedBody > maxJudged {
		p.addf(path+".http.judged_body", "must not be over 16MiB: that much is kept in memory for each request")
	}
	for i, n := range h.JudgedHeaders {
		if !headerName(n) {
			p.addf(index(path+".http.judged_headers", i), "%q is not the name of a header field", n)
		}
	}
	if cr.Database != "" {
		p.addf(path+".credentials.database", "an http target has no database")
	}
	c.validateHTTPCredentials(p, path+".credentials", t)
}

func (h *HTTP) set() bool {
	return h.Version != "" || h.Host != "" || h.RespondAsync || h.IdentityHeader != nil || len(h.MCP) > 0 || h.JudgedBody != 0 ||
		h.RecordedBody != 0 || len(h.JudgedHeaders) > 0
}

// takenHeaders are header fields that the gateway or Envoy sets itself.
var takenHeaders = []string{"host", "content-length", "transfer-encoding", "connection", "upgrade", "dragoman-identity", "content-type",
	"te", "trailer", "cookie2", "expect", "x-forwarded-for", "x-forwarded-client-cert"}

func (c *Config) validateHTTPCredentials(p *problems, path string, t *Target) {
	cr, ways := t.Credentials, 0
	for _, is := range []bool{cr.User != "" || cr.Password != "", cr.Header != "" || cr.Value != "", cr.OAuth != nil} {
		if is {
			ways++
		}
	}
	if ways > 1 {
		p.addf(path, "give one of user and password, header and value, or oauth")
	}
	if cr.Password != "" && cr.User == "" {
		p.addf(path+".user", "is missing")
	}
	p.pair(path, "header", cr.Header, "value", string(cr.Value))
	p.secret(path+".value", cr.Value, true)
	if cr.Header != "" && (!headerName(cr.Header) || slices.Contains(takenHeaders, strings.ToLower(cr.Header)) ||
		strings.HasPrefix(strings.ToLower(cr.Header), "x-envoy-")) {
		p.addf(path+".header", "%q cannot carry a credential", cr.Header)
	}
	refs := map[string]Ref{"value": cr.Value}
	if o := cr.OAuth; o != nil {
		refs["oauth.client_id"], refs["oauth.client_secret"] = o.ClientID, o.ClientSecret
		p.secret(path+".oauth.client_id", o.ClientID, false)
		p.secret(path+".oauth.client_secret", o.ClientSecret, true)
		if o.ClientID == "" || o.ClientSecret == "" {
			p.addf(path+".oauth", "client_id and client_secret are needed")
		}
		u, err := url.Parse(o.TokenURL)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			p.addf(path+".oauth.token_url", "%q is not a URL like https://issuer.example.com/token", o.TokenURL)
		case u.Scheme == "http" && !(o.AllowHTTP && Loopback(u.Host)):
			p.addf(path+".oauth.token_url", "the client secret would cross the network in clear text; use https, or allow_http: true on loopback")
		}
	}
	for key, r := range refs {
		if r.scheme() == "vault" && c.Vault.Address == "" {
			p.addf(path+"."+key, "is a vault: reference, but there is no vault.address")
		}
	}
}

// headerName reports whether s is a field name of RFC 9110 that no recipient reads in another way.
func headerName(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-':
		default:
			return false
		}
	}
	return s != "" && http.CanonicalHeaderKey(s) != ""
}
