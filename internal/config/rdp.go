package config

import (
	"path/filepath"
)

// ProtocolRDP is served by the bridge, behind an Envoy listener.
const ProtocolRDP = "rdp"

// Ways to record keys.
const (
	KeysMasked = "masked" // that a character was typed, not which
	KeysClear  = "clear"
	KeysNone   = "none"
)

// RDP is what only targets of protocol rdp have.
type RDP struct {
	// NLA refuses a target that does not do network level authentication; otherwise the target decides.
	NLA bool `yaml:"nla"`
	// Clipboard lets policy judge the clipboard; it is off otherwise.
	Clipboard bool `yaml:"clipboard"`
	// Keyboard is how keys are recorded: KeysMasked (default), KeysClear or KeysNone.
	Keyboard string `yaml:"keyboard"`
}

// RDPSocket is where Envoy hands RDP connections to the bridge.
func (c *Config) RDPSocket(node string) string { return filepath.Join(c.SocketDir(node), "rdp.sock") }

// RDPCertificate and RDPKey are the certificate that is made when a target has none.
func (c *Config) RDPCertificate() string { return filepath.Join(c.KeysDir(), "rdp.crt") }

// RDPKey is its key.
func (c *Config) RDPKey() string { return filepath.Join(c.KeysDir(), "rdp.key") }

func (t *Target) completeRDP() {
	if t.Protocol == ProtocolRDP {
		setDefault(&t.RDP.Keyboard, KeysMasked)
	}
}

// validateRDP checks what only rdp targets have, and that others do not have it.
func (c *Config) validateRDP(p *problems, path string, t *Target) {
	if t.Protocol != ProtocolRDP {
		if t.RDP != (RDP{}) {
			p.addf(path+".rdp", "is for targets of protocol rdp")
		}
		return
	}
	if t.Credentials.Password == "" {
		p.addf(path+".credentials", "password is missing: the gateway logs in to the target with user and password")
	}
	if t.Credentials.Database != "" {
		p.addf(path+".credentials.database", "a desktop has no database")
	}
	if t.TLS.Upstream.Mode == TLSDisable {
		p.addf(path+".tls.upstream", "rdp is spoken within TLS; say mode: verify-full with the target's ca, or mode: require to accept any certificate")
	}
	if t.TLS.Upstream.Cert != "" {
		p.addf(path+".tls.upstream.cert", "an RDP server takes no client certificate")
	}
	if len(t.SNI) > 0 {
		p.addf(path+".sni", "rdp targets that share a port are told apart by the user name: LOGIN@TARGET")
	}
	p.oneOf(path+".rdp.keyboard", t.RDP.Keyboard, KeysMasked, KeysClear, KeysNone)
}
