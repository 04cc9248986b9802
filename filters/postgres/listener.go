package postgres

import (
	"encoding/json"
	"fmt"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

// ListenerKind is the listener filter that answers what Postgres clients ask
// before TLS, on the raw socket, so that Envoy's own TLS comes next.
func ListenerKind() filters.ListenerKind {
	return filters.ListenerKind{Name: nodeconfig.PostgresListener, Configure: func(b []byte) (func() filters.Listener, error) {
		var cfg nodeconfig.Listener
		if err := json.Unmarshal(b, &cfg); err != nil {
			return nil, fmt.Errorf("postgres listener config: %w", err)
		}
		return func() filters.Listener { return &listener{tls: cfg.TLS} }, nil
	}}
}

// requestLen is the length of an SSLRequest and a GSSENCRequest.
const requestLen = 8

// maxAsked bounds how often a client may ask for encryption: libpq asks once for each kind.
const maxAsked = 4

type listener struct {
	tls    bool
	asked  int
	agreed bool // 'S' was sent: only a TLS hello may follow
}

func (l *listener) MaxPeek() int { return requestLen }

func (l *listener) OnAccept(filters.Socket) filters.SocketStatus { return filters.SocketNeedMore }

func (l *listener) OnData(s filters.Socket, b []byte) filters.SocketStatus {
	if len(b) == 0 {
		return filters.SocketNeedMore
	}
	// A TLS record of type handshake. Clear-text packets of Postgres begin with a length under 64 KiB: a zero.
	if b[0] == 0x16 {
		return filters.SocketDone
	}
	if l.agreed {
		// Clear text after our 'S': somebody between has put it there (CVE-2021-23214).
		return filters.SocketClose
	}
	if len(b) < requestLen {
		if !startsRequest(b) {
			return filters.SocketDone
		}
		return filters.SocketNeedMore
	}
	first, _, err := wire.DecodeStartup(b)
	if err != nil || first.Code != wire.SSLCode && first.Code != wire.GSSCode {
		return filters.SocketDone // the network filter says what is wrong, if anything
	}
	return l.answer(s, first.Code)
}

// answer answers one request for encryption.
func (l *listener) answer(s filters.Socket, code uint32) filters.SocketStatus {
	if l.asked++; l.asked > maxAsked {
		return filters.SocketClose
	}
	if s.Drain(requestLen) != nil {
		return filters.SocketClose
	}
	word := byte('N')
	if code == wire.SSLCode && l.tls {
		word, l.agreed = 'S', true
	}
	if s.Write([]byte{word}) != nil {
		return filters.SocketClose
	}
	return filters.SocketNeedMore
}

// startsRequest reports whether b may be the beginning of an 8-byte request.
func startsRequest(b []byte) bool {
	want := [4]byte{0, 0, 0, requestLen}
	for i := range min(len(b), len(want)) {
		if b[i] != want[i] {
			return false
		}
	}
	return true
}
