package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// nameOK: names go into file names, Envoy resource names and metrics.
var nameOK = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)

const nameRule = "must be 1 to 63 of a-z, 0-9, - and _, and begin and end with a letter or digit"

// maxSocketPath is sun_path's length on Linux (108) less the final zero.
const maxSocketPath = 107

func (c *Config) validate(p *problems) {
	if len(c.Admin.Socket) > maxSocketPath {
		p.addf("admin.socket", "%s: longer than the %d bytes that a unix socket's path may have", c.Admin.Socket, maxSocketPath)
	}
	if s := c.ControlSocket(); len(s) > maxSocketPath {
		p.addf("data", "%s: longer than the %d bytes that a unix socket's path may have; choose a shorter data folder", s, maxSocketPath)
	}
	p.secret("database", c.Database, true)
	c.validateReplicas(p)
	c.Admin.validate(p)
	c.Envoy.validate(p)
	c.Identity.validate(p)
	c.Vault.validate(p)
	c.Trail.validate(p)
	if len(c.Targets) == 0 {
		p.addf("targets", "no target: there is nothing to serve")
	}
	seen := map[string]bool{}
	for i := range c.Targets {
		path := index("targets", i)
		c.validateTarget(p, path, &c.Targets[i])
		if name := c.Targets[i].Name; name != "" && seen[name] {
			p.addf(path+".name", "%q is the name of another target too", name)
		}
		seen[c.Targets[i].Name] = true
	}
	c.validateRetention(p)
	c.validatePorts(p)
	c.validatePolicy(p)
	c.validatePage(p)
	c.validateNotices(p)
	if n := c.Approvals.MinQuorum; n < 0 || n > 16 {
		p.addf("approvals.min_quorum", "must be between 0 and 16")
	}
}

func (a *Admin) validate(p *problems) {
	p.pair("admin.tls", "cert", a.TLS.Cert, "key", a.TLS.Key)
	if a.Listen == "" {
		if len(a.Tokens) > 0 || len(a.Grants) > 0 {
			p.addf("admin", "tokens and grants are for the HTTP API, but there is no admin.listen")
		}
		return
	}
	p.hostPort("admin.listen", a.Listen, true)
	if !Loopback(a.Listen) && a.TLS.Cert == "" {
		p.addf("admin.listen", "%s is not a loopback address: give admin.tls.cert and key, or listen on 127.0.0.1", a.Listen)
	}
	for i, t := range a.Tokens {
		path := index("admin.tokens", i)
		p.secret(path+".token", t.Token, true)
		if t.Subject == "" {
			p.addf(path, "subject is missing: whom does the token stand for?")
		}
		p.roles(path, t.Roles)
	}
	for i, g := range a.Grants {
		path := index("admin.grants", i)
		if len(g.Groups)+len(g.Subjects) == 0 {
			p.addf(path, "groups or subjects is missing")
		}
		p.roles(path, g.Roles)
	}
}

func (p *problems) roles(path string, roles []string) {
	if len(roles) == 0 {
		p.addf(path, "roles is missing: any of reader, auditor, approver, admin")
	}
	for i, r := range roles {
		p.oneOf(index(path+".roles", i), r, RoleReader, RoleAuditor, RoleApprover, RoleAdmin, RoleRead, RoleApprove)
	}
}

func (e *Envoy) validate(p *problems) {
	p.name("envoy.node", e.Node)
	if e.Concurrency < 0 {
		p.addf("envoy.concurrency", "must not be negative")
	}
	c := e.Control
	if c.Listen != "" {
		p.hostPort("envoy.control.listen", c.Listen, true)
		for _, a := range strings.Split(c.Address, ",") {
			p.hostPort("envoy.control.address", strings.TrimSpace(a), false)
		}
		if c.Cert == "" || c.Key == "" || c.ClientCA == "" {
			p.addf("envoy.control", "cert, key and client_ca are needed: nodes reach the control plane over mutual TLS only")
		}
	} else if len(e.Nodes) > 0 {
		p.addf("envoy.nodes", "other nodes need envoy.control.listen, where they reach the control plane")
	}
	names, ids := map[string]bool{e.Node: true}, map[string]bool{}
	for i, n := range e.Nodes {
		path := index("envoy.nodes", i)
		p.name(path+".name", n.Name)
		if names[n.Name] {
			p.addf(path+".name", "%q is the name of another node too", n.Name)
		}
		if u, err := url.Parse(n.SPIFFE); err != nil || u.Scheme != "spiffe" || u.Host == "" {
			p.addf(path+".spiffe", "%q is not a SPIFFE ID like spiffe://example.org/node/%s", n.SPIFFE, n.Name)
		} else if ids[n.SPIFFE] {
			p.addf(path+".spiffe", "%q is the id of another node too", n.SPIFFE)
		}
		p.oneOf(path+".role", n.Role, NodeGateway, NodeSidecar)
		if !filepath.IsAbs(n.Sockets) {
			p.addf(path+".sockets", "%q is not an absolute path; it is one on the node's machine", n.Sockets)
		}
		names[n.Name], ids[n.SPIFFE] = true, true
	}
}

func (id *Identity) validate(p *problems) {
	if id.Issuer.DefaultTTL > id.Issuer.MaxTTL {
		p.addf("identity.issuer.default_ttl", "%s is longer than max_ttl (%s)", id.Issuer.DefaultTTL.Std(), id.Issuer.MaxTTL.Std())
	}
	seen := map[string]bool{id.Issuer.Name: true}
	for i, o := range id.OIDC {
		path := index("identity.oidc", i)
		p.issuerURL(path+".issuer", o.Issuer, o.AllowHTTP)
		if o.JWKSURL != "" {
			p.issuerURL(path+".jwks_url", o.JWKSURL, o.AllowHTTP)
		}
		if len(o.Audiences) == 0 {
			p.addf(path, "audiences is missing: without it, a token made for anybody else would be accepted")
		}
		p.oneOf(path+".shape", o.Shape, "", "github", "gitlab", "kubernetes")
		if seen[o.Issuer] {
			p.addf(path+".issuer", "%q is listed twice", o.Issuer)
		}
		seen[o.Issuer] = true
	}
	id.SSH.validate(p)
	for i, d := range id.SPIFFE {
		if d.Name == "" || strings.ContainsAny(d.Name, "/: ") {
			p.addf(index("identity.spiffe", i)+".name", "%q is not a trust domain like example.org", d.Name)
		}
	}
}

func (p *problems) issuerURL(path, raw string, allowHTTP bool) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		p.addf(path, "%q is not a URL like https://login.example.com", raw)
	case u.Scheme == "https":
	case u.Scheme == "http" && allowHTTP && loopbackHost(u.Hostname()):
	default:
		p.addf(path, "%q must be https (http only on loopback, with allow_http: true)", raw)
	}
}

func loopbackHost(host string) bool { return Loopback(host+":0") || host == "::1" }

func (v *Vault) validate(p *problems) {
	if v.Address == "" {
		return
	}
	if u, err := url.Parse(v.Address); err != nil || u.Host == "" || (u.Scheme != "https" && !loopbackHost(u.Hostname())) {
		p.addf("vault.address", "%q must be an https URL (http only on loopback)", v.Address)
	}
	p.secret("vault.token", v.Token, true)
	if v.Token.scheme() == "vault" {
		p.addf("vault.token", "cannot itself come from vault")
	}
}

func (c *Config) validatePolicy(p *problems) {
	if c.Policy.Dir == "" && len(c.Policy.Rules) == 0 {
		p.addf("policy", "no policy: give policy.dir or policy.rules (without one, every action would be blocked)")
	}
}

func (p *problems) name(path, name string) {
	if !nameOK.MatchString(name) {
		p.addf(path, "%q %s", name, nameRule)
	}
}

func (p *problems) oneOf(path, v string, allowed ...string) {
	if !slices.Contains(allowed, v) {
		p.addf(path, "%q is not one of %s", v, strings.TrimPrefix(strings.Join(allowed, ", "), ", "))
	}
}

// pair wants both or neither.
func (p *problems) pair(path, a, av, b, bv string) {
	if (av == "") != (bv == "") {
		p.addf(path, "%s and %s belong together: give both or neither", a, b)
	}
}
