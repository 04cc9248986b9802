package config

import (
	"path/filepath"
)

// ProtocolKubernetes is an API server: Envoy's HTTP stack and our HTTP filter serve it, but for
// exec, attach and port-forward, which go to the bridge.
const ProtocolKubernetes = "kubernetes"

// Kubernetes is what only targets of protocol kubernetes have.
type Kubernetes struct {
	// ExecOnly refuses interactive shells.
	ExecOnly bool `yaml:"exec_only"`
	// Forward lets port-forward be judged; otherwise it is refused.
	Forward bool `yaml:"forward"`
	// Streams is how exec, attach and port-forward are carried to the target: websocket or spdy. Unset is websocket, and spdy where
	// the API server does not speak that (before 1.30).
	Streams string `yaml:"streams"`
	// Impersonate has the cluster take each request for that of who acts: its RBAC and its own log are about them.
	// Unset is true.
	Impersonate *bool `yaml:"impersonate"`
}

// Impersonates reports whether requests are made as who acts.
func (k Kubernetes) Impersonates() bool { return k.Impersonate == nil || *k.Impersonate }

// KubernetesCredentials log in to an API server; a client certificate (tls.upstream) does as well.
type KubernetesCredentials struct {
	// Token is a service account's; a file is read again every 15 minutes.
	Token Ref `yaml:"token"`
}

// OverHTTP reports whether the target is served by Envoy's HTTP stack.
func (t *Target) OverHTTP() bool {
	return t.Protocol == ProtocolHTTP || t.Protocol == ProtocolKubernetes
}

// KubeSocket is where Envoy hands requests for exec, attach and port-forward to the bridge.
func (c *Config) KubeSocket(node string) string { return filepath.Join(c.SocketDir(node), "kube.sock") }

// validateKubernetes checks what only kubernetes targets have, and that others do not have it.
func (c *Config) validateKubernetes(p *problems, path string, t *Target) {
	if tok := t.Credentials.Token; tok != "" {
		p.secret(path+".credentials.token", tok, true)
		switch cr := t.Credentials; {
		case t.Protocol != ProtocolKubernetes:
			p.addf(path+".credentials.token", "is for targets of protocol kubernetes")
		case cr.User != "" || cr.Header != "" || cr.OAuth != nil:
			p.addf(path+".credentials", "give one of token, user and password, header and value, or oauth")
		case tok.scheme() == "vault" && c.Vault.Address == "":
			p.addf(path+".credentials.token", "is a vault: reference, but there is no vault.address")
		}
	}
	if t.Protocol != ProtocolKubernetes {
		if t.Kubernetes != (Kubernetes{}) {
			p.addf(path+".kubernetes", "is for targets of protocol kubernetes")
		}
		return
	}
	if t.Kubernetes.Streams != "" {
		p.oneOf(path+".kubernetes.streams", t.Kubernetes.Streams, "websocket", "spdy")
	}
	if t.HTTP.Version != HTTP1 {
		p.addf(path+".http.version", "kubernetes targets are spoken to in HTTP/1.1, which can be upgraded")
	}
	if len(t.HTTP.MCP) > 0 {
		p.addf(path+".http.mcp", "an API server has no MCP endpoints")
	}
}
