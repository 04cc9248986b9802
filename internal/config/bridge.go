package config

// DefaultSockets is where the Envoy and the bridge of another node meet.
const DefaultSockets = "/run/dragoman"

// Bridged reports whether a bridge serves the target, or part of it.
func (t *Target) Bridged() bool {
	return t.Protocol == ProtocolSSH || t.Protocol == ProtocolKubernetes || t.Protocol == ProtocolRDP
}

// SocketDir is the folder of the sockets on which the node's Envoy hands connections to its bridge.
func (c *Config) SocketDir(node string) string {
	for _, n := range c.Envoy.Nodes {
		if n.Name == node {
			return n.Sockets
		}
	}
	return c.RunDir()
}
