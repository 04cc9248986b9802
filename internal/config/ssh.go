package config

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// ProtocolSSH is served by the bridge, behind an Envoy listener.
const ProtocolSSH = "ssh"

// SSH is what only targets of protocol ssh have.
type SSH struct {
	// KnownHosts is a file in the format of OpenSSH's known_hosts.
	KnownHosts string `yaml:"known_hosts"`
	// HostKeys are public keys that the target may prove itself with.
	HostKeys []string `yaml:"host_keys"`
	// HostAuthorities are public keys of CAs that sign the target's host certificate.
	HostAuthorities []string `yaml:"host_authorities"`
	// ExecOnly refuses interactive shells.
	ExecOnly bool `yaml:"exec_only"`
	// Env are names of variables that the client may set, with * as in AcceptEnv; default LANG and LC_*.
	Env []string `yaml:"env"`
	// Forward lets policy judge forwarded connections; they are refused otherwise.
	Forward bool `yaml:"forward"`
	// KeepFiles records the content of files that are transferred; their SHA-256 is recorded anyway.
	KeepFiles *bool `yaml:"keep_files"`
	// KeepAlive is how often a silent client is asked whether it is there; default 30 s.
	KeepAlive Duration `yaml:"keep_alive"`
}

// SSHCredentials log in to an ssh target, in place of a password.
type SSHCredentials struct {
	// Key is a private key in OpenSSH's format.
	Key Ref `yaml:"key"`
	// Certificate has a certificate minted for each session.
	Certificate *SSHCertificate `yaml:"certificate"`
}

// SSHCertificate is how user certificates are minted.
type SSHCertificate struct {
	CA  Ref      `yaml:"ca"`  // the private key of the CA that the target trusts
	TTL Duration `yaml:"ttl"` // how long a session may take to log in; default 2 min
	// Principals are those of the certificate; default the login.
	Principals []string `yaml:"principals"`
}

// Bridge is what serves protocols that Envoy has no codec for.
type Bridge struct {
	// HostKeys are private keys that clients of ssh targets see; default one that is made on first start.
	HostKeys []string `yaml:"host_keys"`
	// HostCertificates are host certificates of these keys.
	HostCertificates []string `yaml:"host_certificates"`
}

// SSHIdentities say whose SSH keys and certificates are believed.
type SSHIdentities struct {
	Keys        []SSHKey       `yaml:"keys"`
	Authorities []SSHAuthority `yaml:"authorities"`
}

// SSHKey binds a public key to an identity.
type SSHKey struct {
	Key        string   `yaml:"key"` // as in authorized_keys
	Subject    string   `yaml:"subject"`
	OnBehalfOf string   `yaml:"on_behalf_of"`
	Groups     []string `yaml:"groups"`
}

// SSHAuthority is a CA whose user certificates prove an identity.
type SSHAuthority struct {
	Key        string   `yaml:"key"`
	Subject    string   `yaml:"subject"` // template of {key_id} and {principal}; default "user:{key_id}"
	OnBehalfOf string   `yaml:"on_behalf_of"`
	Groups     []string `yaml:"groups"`
	// Principals are globs; a certificate must have one that matches. Empty: any.
	Principals []string `yaml:"principals"`
}

// BridgeSocket is where Envoy hands connections to the bridge.
func (c *Config) BridgeSocket(node string) string {
	return filepath.Join(c.SocketDir(node), "bridge.sock")
}

// BridgeSpoolDir is the bridge's record spool.
func (c *Config) BridgeSpoolDir() string { return filepath.Join(c.Data, "spool-bridge") }

// BridgeHostKey is the host key that is made when none is configured.
func (c *Config) BridgeHostKey() string { return filepath.Join(c.KeysDir(), "ssh_host_ed25519") }

func (b *Bridge) complete(dir string) {
	for _, list := range [][]string{b.HostKeys, b.HostCertificates} {
		for i := range list {
			anchor(dir, &list[i])
		}
	}
}

func (t *Target) completeSSH(dir string) {
	if t.Protocol != ProtocolSSH {
		return
	}
	s := &t.SSH
	anchor(dir, &s.KnownHosts)
	if s.Env == nil {
		s.Env = []string{"LANG", "LC_*"}
	}
	if s.KeepFiles == nil {
		s.KeepFiles = new(false)
	}
	setDefault(&s.KeepAlive, Duration(30*time.Second))
	anchorRefs(dir, &t.Credentials.Key)
	if m := t.Credentials.Certificate; m != nil {
		anchorRefs(dir, &m.CA)
		setDefault(&m.TTL, Duration(2*time.Minute))
	}
}

func (s *SSH) set() bool {
	return s.KnownHosts != "" || len(s.HostKeys)+len(s.HostAuthorities)+len(s.Env) > 0 || s.ExecOnly || s.Forward || s.KeepFiles != nil || s.KeepAlive != 0
}

// validateSSH checks what only ssh targets have, and that others do not have it.
func (c *Config) validateSSH(p *problems, path string, t *Target) {
	cr := t.Credentials
	if t.Protocol != ProtocolSSH {
		if t.SSH.set() {
			p.addf(path+".ssh", "is for targets of protocol ssh")
		}
		if cr.Key != "" || cr.Certificate != nil {
			p.addf(path+".credentials", "key and certificate are for targets of protocol ssh")
		}
		return
	}
	if t.TLS.Upstream.Mode != TLSDisable {
		p.addf(path+".tls.upstream", "ssh is encrypted by itself; say mode: disable")
	}
	p.secret(path+".credentials.key", cr.Key, true)
	ways := 0
	for _, is := range []bool{cr.Password != "", cr.Key != "", cr.Certificate != nil} {
		if is {
			ways++
		}
	}
	if ways != 1 {
		p.addf(path+".credentials", "give one of password, key and certificate")
	}
	if m := cr.Certificate; m != nil {
		p.secret(path+".credentials.certificate.ca", m.CA, true)
		if m.CA == "" {
			p.addf(path+".credentials.certificate", "ca is missing: the private key that the target's TrustedUserCAKeys knows")
		}
	}
	c.validateHostProof(p, path+".ssh", t)
}

func (c *Config) validateHostProof(p *problems, path string, t *Target) {
	s := t.SSH
	if s.KnownHosts == "" && len(s.HostKeys)+len(s.HostAuthorities) == 0 {
		p.addf(path, "known_hosts, host_keys or host_authorities is missing: how does the target prove that it is the right one? (ssh-keyscan shows its keys)")
	}
	if s.KnownHosts != "" {
		if _, err := os.Stat(s.KnownHosts); err != nil {
			p.addf(path+".known_hosts", "%v", err)
		}
	}
	p.sshKeys(path+".host_keys", s.HostKeys)
	p.sshKeys(path+".host_authorities", s.HostAuthorities)
	if s.KeepAlive < 0 {
		p.addf(path+".keep_alive", "must not be negative")
	}
	for i, n := range s.Env {
		if n == "" || strings.ContainsAny(n, "= \t?[") {
			p.addf(index(path+".env", i), "%q is not the name of a variable", n)
		}
	}
}

func (p *problems) sshKeys(path string, keys []string) {
	for i, k := range keys {
		if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k)); err != nil {
			p.addf(index(path, i), "is not a public key like \"ssh-ed25519 AAAA…\"")
		}
	}
}

func (s *SSHIdentities) validate(p *problems) {
	for i, k := range s.Keys {
		path := index("identity.ssh.keys", i)
		p.sshKeys(path, []string{k.Key})
		if k.Subject == "" {
			p.addf(path, "subject is missing: whose key is it?")
		}
	}
	for i, a := range s.Authorities {
		p.sshKeys(index("identity.ssh.authorities", i), []string{a.Key})
	}
}

// sharesByUser: ssh and rdp targets that share a port are told apart by the user name, not by a server name.
func sharesByUser(t *Target) bool { return t.Protocol == ProtocolSSH || t.Protocol == ProtocolRDP }

// SSHAddress is where a target is, as known_hosts names it.
func SSHAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "22" {
		return host
	}
	return "[" + host + "]:" + port
}
