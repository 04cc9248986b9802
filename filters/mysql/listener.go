package mysql

import (
	"crypto/rand"
	"encoding/json"
	"fmt"

	"dragoman.dev/dragoman/filters"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

// defaultVersion is what a target is announced as before it has been seen.
const defaultVersion = "8.0.36-dragoman"

// charsetUTF8 is utf8mb4_general_ci, which every server knows.
const charsetUTF8 = 45

// ListenerKind is the listener filter that greets on the raw socket and takes the request for TLS, so that Envoy's
// own TLS comes next.
func (k *Module) ListenerKind() filters.ListenerKind {
	return filters.ListenerKind{Name: nodeconfig.MySQLListener, Configure: func(b []byte) (func() filters.Listener, error) {
		var cfg nodeconfig.Listener
		if err := json.Unmarshal(b, &cfg); err != nil {
			return nil, fmt.Errorf("mysql listener config: %w", err)
		}
		return func() filters.Listener { return &listener{module: k, cfg: cfg} }, nil
	}}
}

// listener greets one socket.
type listener struct {
	module *Module
	cfg    nodeconfig.Listener
}

// peek is the length of an SSLRequest with its header.
const peek = 4 + wire.SSLRequestLen

func (l *listener) MaxPeek() int { return peek }

func (l *listener) OnAccept(s filters.Socket) filters.SocketStatus {
	version := l.module.version(l.cfg.Target)
	if version == "" {
		version = l.cfg.ServerVersion
	}
	if version == "" {
		version = defaultVersion
	}
	g := wire.Greeting{Version: version, Thread: l.module.thread(s.ClientAddr()), Nonce: nonce(), Caps: wire.Offered,
		Charset: charsetUTF8, Status: wire.StatusAutocommit, Plugin: wire.PluginClear}
	if l.cfg.TLS {
		// Within TLS this plugin sends the password itself when it is asked to.
		g.Caps |= wire.CapSSL
		g.Plugin = wire.PluginSHA2
	}
	b, _ := wire.AppendPacket(nil, 0, g.Append(nil))
	if s.Write(b) != nil {
		return filters.SocketClose
	}
	return filters.SocketNeedMore
}

// nonce is a challenge: random bytes, of which none is 0. Nobody answers it with more than a scramble that is not
// looked at: what counts is the token.
func nonce() []byte {
	b := make([]byte, wire.NonceLen)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = b[i]&0x7f | 0x40
	}
	return b
}

func (l *listener) OnData(s filters.Socket, b []byte) filters.SocketStatus {
	if len(b) < 4 {
		return filters.SocketNeedMore
	}
	if length := int(b[0]) | int(b[1])<<8 | int(b[2])<<16; length != wire.SSLRequestLen {
		return filters.SocketDone // the network filter takes it, or says what is wrong
	}
	if len(b) < peek {
		return filters.SocketNeedMore
	}
	if !l.cfg.TLS || !wire.IsSSLRequest(b[4:peek]) {
		return filters.SocketClose
	}
	if s.Drain(peek) != nil {
		return filters.SocketClose
	}
	return filters.SocketDone
}
