package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"dragoman.dev/dragoman/internal/nodeconfig"
)

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func (c *Config) validateTarget(p *problems, path string, t *Target) {
	p.name(path+".name", t.Name)
	p.oneOf(path+".protocol", t.Protocol, ProtocolPostgres, ProtocolMySQL, ProtocolHTTP, ProtocolSSH, ProtocolKubernetes, ProtocolRDP)
	if len(t.Addresses) == 0 {
		p.addf(path, "address is missing: where is the target?")
	}
	if t.Address != "" && !slices.Equal(t.Addresses, []string{t.Address}) {
		p.addf(path+".address", "give address or addresses, not both")
	}
	for i, a := range t.Addresses {
		where := index(path+".addresses", i)
		if t.Address != "" {
			where = path + ".address"
		}
		p.hostPort(where, a, false)
	}
	c.validateListen(p, path, t)
	t.TLS.validate(p, path+".tls", t.Addresses)
	p.secret(path+".credentials.user", t.Credentials.User, false)
	p.secret(path+".credentials.password", t.Credentials.Password, true)
	p.secret(path+".credentials.database", t.Credentials.Database, false)
	c.validateHTTP(p, path, t)
	c.validateSSH(p, path, t)
	c.validateKubernetes(p, path, t)
	c.validateRDP(p, path, t)
	if t.Credentials.User == "" && !t.OverHTTP() && t.Protocol != ProtocolSSH {
		p.addf(path+".credentials", "user is missing: as whom does the gateway log in to the target?")
	}
	c.validateVaultUse(p, path, t)
	p.oneOf(path+".audit.durability", t.Audit.Durability, "write", "fsync")
	if n := t.Limits.MaxPrepared; n < 0 {
		p.addf(path+".limits.max_prepared", "must not be negative")
	}
	if n := t.Limits.MaxConnections; n < 0 {
		p.addf(path+".limits.max_connections", "must not be negative")
	}
	if t.AllowReplication {
		p.addf(path+".allow_replication", "replication is always refused: its stream carries whole rows of every table, which can be neither judged nor masked")
	}
	if t.ServerVersion != "" && t.Protocol != ProtocolMySQL {
		p.addf(path+".server_version", "is for targets of protocol mysql")
	}
	if t.Estimates && t.Protocol != ProtocolPostgres && t.Protocol != ProtocolMySQL {
		p.addf(path+".estimates", "is for targets of protocol postgres and mysql")
	}
	const maxMessage = 1 << 30
	if t.Limits.MaxMessage > maxMessage {
		p.addf(path+".limits.max_message", "must not be over 1GiB, the protocol's own limit")
	}
}

func (c *Config) validateListen(p *problems, path string, t *Target) {
	if !p.hostPort(path+".listen", t.Listen, true) {
		return
	}
	if !Loopback(t.Listen) && t.TLS.Client.Cert == "" && !*t.AllowCleartext {
		p.addf(path+".listen", "%s is not a loopback address, so tokens would cross the network in clear text: give tls.client.cert and key, or say allow_cleartext: true", t.Listen)
	}
	if Loopback(t.Listen) && t.TLS.Client.Cert == "" && !*t.AllowCleartext {
		p.addf(path+".allow_cleartext", "is false and there is no tls.client.cert: nobody could connect")
	}
	if len(t.SNI) > 0 && t.TLS.Client.Cert == "" {
		p.addf(path+".sni", "needs tls.client.cert: the server name comes with TLS")
	}
	for i, n := range t.SNI {
		if n == "" || strings.ContainsAny(n, " :/") || strings.Contains(strings.TrimPrefix(n, "*."), "*") {
			p.addf(index(path+".sni", i), "%q is not a server name like shop.example.com or *.example.com", n)
		}
	}
	for i, n := range t.Nodes {
		at := index(path+".nodes", i)
		if !slices.Contains(c.NodeNames(), n) {
			p.addf(at, "unknown node %q; known: %s", n, strings.Join(c.NodeNames(), ", "))
		}
		for _, node := range c.Envoy.Nodes {
			if node.Name == n && node.Role == NodeSidecar && !Loopback(t.Listen) {
				p.addf(path+".listen", "%s is not a loopback address, but node %s is a sidecar", t.Listen, n)
			}
		}
	}
}

func (t *TargetTLS) validate(p *problems, path string, addresses []string) {
	c, u := t.Client, t.Upstream
	p.pair(path+".client", "cert", c.Cert, "key", c.Key)
	if c.ClientCA != "" && c.Cert == "" {
		p.addf(path+".client.client_ca", "needs cert and key")
	}
	if c.Required && c.ClientCA == "" {
		p.addf(path+".client.required", "needs client_ca: who signs the certificates?")
	}
	p.pair(path+".upstream", "cert", u.Cert, "key", u.Key)
	p.oneOf(path+".upstream.mode", u.Mode, TLSDisable, TLSRequire, TLSVerifyFull)
	if u.ChannelBinding != "" {
		p.oneOf(path+".upstream.channel_binding", u.ChannelBinding, nodeconfig.BindingPrefer, nodeconfig.BindingRequire, nodeconfig.BindingDisable)
	}
	switch {
	case u.Mode == TLSDisable && u.ChannelBinding == nodeconfig.BindingRequire:
		p.addf(path+".upstream.channel_binding", "require needs TLS; say mode: verify-full")
	case u.Mode == TLSDisable && (u.CA != "" || u.Cert != "" || u.ServerName != ""):
		p.addf(path+".upstream", "mode is disable, so ca, cert, key and server_name would do nothing; say mode: verify-full")
	case u.Mode == TLSRequire && u.CA != "":
		p.addf(path+".upstream.ca", "mode require verifies nothing, so ca would do nothing; say mode: verify-full")
	case u.Mode == TLSVerifyFull && u.CA == "":
		p.addf(path+".upstream", "verify-full needs ca")
	case u.Mode == TLSVerifyFull && u.ServerName == "" && len(addresses) > 1:
		p.addf(path+".upstream", "verify-full with several addresses needs server_name, the name in their certificates")
	}
}

func (c *Config) validateVaultUse(p *problems, path string, t *Target) {
	for key, r := range map[string]Ref{"user": t.Credentials.User, "password": t.Credentials.Password, "database": t.Credentials.Database} {
		if r.scheme() == "vault" && c.Vault.Address == "" {
			p.addf(path+".credentials."+key, "is a vault: reference, but there is no vault.address")
		}
	}
}

// validatePorts finds targets that collide on one port of one node.
func (c *Config) validatePorts(p *problems) {
	type claim struct{ node, port, sni string }
	taken := map[claim]string{}
	speaks := map[string]*Target{} // node and address -> the first target there
	hosts := map[string]string{}   // node and port number -> listen address
	for i := range c.Targets {
		t, path := &c.Targets[i], index("targets", i)
		_, port, err := net.SplitHostPort(t.Listen)
		if err != nil {
			continue
		}
		names := t.SNI
		if len(names) == 0 {
			names = []string{""}
		}
		for _, node := range t.Nodes {
			if other, ok := hosts[node+" "+port]; ok && other != t.Listen && (wildcard(other) || wildcard(t.Listen)) {
				p.addf(path+".listen", "%s overlaps with %s of another target; share one address or use another port", t.Listen, other)
			}
			hosts[node+" "+port] = t.Listen
			at := node + " " + t.Listen
			if other := speaks[at]; other == nil {
				speaks[at] = t
			} else if other.Protocol != t.Protocol {
				p.addf(path+".listen", "target %s on %s speaks %s, this one %s: they need ports of their own", other.Name, t.Listen, other.Protocol, t.Protocol)
			}
			for _, n := range names {
				k := claim{node, t.Listen, n}
				if other, ok := taken[k]; ok && other != t.Name && !sharesByUser(t) {
					p.addf(path+".listen", "%s", collision(t.Listen, n, other))
				}
				taken[k] = t.Name
			}
		}
	}
}

func collision(listen, sni, other string) string {
	if sni == "" {
		return fmt.Sprintf("target %s listens on %s as well; to share a port, give all but one of them sni names (and TLS)", other, listen)
	}
	return fmt.Sprintf("target %s has the server name %q on %s as well", other, sni, listen)
}

func wildcard(hostport string) bool {
	host, _, _ := net.SplitHostPort(hostport)
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

// hostPort checks host:port; a listener needs an IP address (or localhost),
// since a name may resolve to more than was meant.
func (p *problems) hostPort(path, v string, listener bool) bool {
	if v == "" {
		p.addf(path, "is missing; write it as host:port")
		return false
	}
	host, port, err := net.SplitHostPort(v)
	if err != nil {
		p.addf(path, "%q is not host:port", v)
		return false
	}
	low := 1
	if n, err := strconv.Atoi(port); err != nil || n < low || n > 65535 {
		p.addf(path, "%q: the port must be a number from 1 to 65535", v)
		return false
	}
	if listener && host != "localhost" && net.ParseIP(host) == nil {
		p.addf(path, "%q: listen on an IP address (127.0.0.1, 0.0.0.0, ::) or localhost", v)
		return false
	}
	if host == "" || strings.ContainsAny(host, " /") {
		p.addf(path, "%q: the host is missing or malformed", v)
		return false
	}
	return true
}

// secret checks a reference; mustRefer refuses values written into the file.
func (p *problems) secret(path string, r Ref, mustRefer bool) {
	if r == "" {
		return
	}
	if r.Plain() {
		if mustRefer {
			p.addf(path, "secrets are not written into this file: use env:NAME, file:PATH or vault:MOUNT/PATH#KEY")
		}
		return
	}
	_, rest, _ := strings.Cut(string(r), ":")
	if rest == "" {
		p.addf(path, "%q names nothing", r)
	}
	if r.scheme() == "vault" {
		if _, _, _, err := splitVault(rest); err != nil {
			p.addf(path, "%v", err)
		}
	}
}
