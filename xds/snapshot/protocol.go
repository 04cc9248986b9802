package snapshot

import (
	"fmt"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

// protocol is what a protocol of targets needs in Envoy.
type protocol struct {
	bridged  bool     // the bridge serves it
	http     bool     // Envoy's own HTTP stack serves it, with our HTTP filter
	network  string   // filter_name of its network filter in the module
	listener string   // filter_name of its listener filter, "" when it has none
	greets   bool     // the server speaks first
	alpn     []string // what its clients ask for within TLS
	ciphers  []string // of TLS up to 1.2 towards the target; nil: Envoy's own choice
}

// protocols are the protocols that are served, by their name in the config: by our network filter and tcp_proxy but for HTTP.
var protocols = map[string]protocol{
	config.ProtocolPostgres: {network: nodeconfig.PostgresFilter, listener: nodeconfig.PostgresListener, alpn: []string{"postgresql"}},
	config.ProtocolMySQL:    {network: nodeconfig.MySQLFilter, listener: nodeconfig.MySQLListener, greets: true, ciphers: mysqlCiphers},
	config.ProtocolSSH:      {bridged: true},
	config.ProtocolRDP:      {bridged: true},
	config.ProtocolHTTP:     {http: true, alpn: []string{"h2", "http/1.1"}},
	// Upgraded requests are those of HTTP/1.1 on both sides, and clients that may use HTTP/2 would not ask for them.
	config.ProtocolKubernetes: {http: true, alpn: []string{"h2", "http/1.1"}},
}

// mysqlCiphers are Envoy's own choice, and behind it key exchange by RSA: MySQL 8.0 before 8.0.16 and its
// kin that are built with wolfSSL or yaSSL know nothing else.
var mysqlCiphers = []string{
	"[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
	"[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
	"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
	"AES128-GCM-SHA256", "AES256-GCM-SHA384",
}

func protocolOf(t *config.Target) (protocol, error) {
	p, ok := protocols[t.Protocol]
	if !ok {
		return protocol{}, fmt.Errorf("target %s: protocol %q has no filter", t.Name, t.Protocol)
	}
	return p, nil
}
