// Package filters states what runs inside Envoy: the contract between the host
// (filters/module, the only ABI code) and the filters (filters/postgres …).
//
// A filter is written against Envoy's Go filter API, the plain interfaces of
// contrib/golang/common/go/api. Host adds what that API lacks on stock Envoy.
//
// The contract that filters obey:
//   - All methods of one connection run on that connection's worker, one at a
//     time. Only Conn.Post may be called from elsewhere.
//   - No callback blocks: no network, no lock shared by all sessions, no wait.
//     Slow work goes to a goroutine, which comes back by Post.
//   - Buffers are borrowed until the callback returns.
//   - A client that will send no more says so with endOfStream, and nothing else
//     happens: the connection stays open until the filter, or the target, ends it.
//     While reads are paused this is not noticed.
//   - A panic in a callback ends that connection only; the host recovers.
package filters

import (
	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/internal/nodeconfig"
)

// Conn is one accepted connection, as the host shows it to a network filter.
// Its embedded ConnectionCallback is the client's side: Write sends to the
// client (queued in Envoy), Close ends the connection.
type Conn interface {
	api.ConnectionCallback

	// ID is Envoy's connection id, unique within the process.
	ID() uint64
	// Upstream is the target's side. Write before the target is connected is
	// kept by Envoy up to EarlyDataLimit bytes.
	Upstream() api.ConnectionCallback
	// Connect lets Envoy choose an endpoint and connect. Until then no
	// upstream connection exists. Calling it twice does nothing.
	Connect()
	// Route makes Connect go to another cluster than the listener's. It must come before Connect.
	Route(cluster string) error
	// Post runs f on the connection's worker, in order of the calls. It may be
	// called from any goroutine and reports false when the connection is gone
	// (f is then never run).
	Post(f func()) bool
	// PauseReads stops (true) or resumes (false) reading from the client; it
	// does not count, the last call wins.
	PauseReads(pause bool)
	// StartUpstreamTLS turns the target's side into TLS. Call it only when the
	// target has answered that it is ready for it.
	StartUpstreamTLS() error
	// TLS describes the client's side.
	TLS() TLS
	// ClientAddr and LocalAddr are host:port.
	ClientAddr() string
	LocalAddr() string
	// UpstreamAddr is the endpoint chosen, host:port, "" before that.
	UpstreamAddr() string
	// UpstreamCertSHA256 is the digest of the target's leaf certificate (DER), nil without TLS
	// or where this Envoy cannot tell.
	UpstreamCertSHA256() []byte
}

// TLS is what Envoy verified about the client's TLS.
type TLS struct {
	Active     bool
	ServerName string   // SNI
	URISANs    []string // of a verified client certificate; SPIFFE IDs are here
	DNSSANs    []string
	Subject    string
	CertSHA256 string // hex
}

// EarlyDataLimit is how many bytes Envoy keeps for a target that is not yet
// connected (tcp_proxy's max_early_data_bytes).
const EarlyDataLimit = nodeconfig.EarlyDataLimit

// ConnectAttempts is how many failed attempts to connect the host waits for
// before it reports OnPoolFailure. So that it, and not tcp_proxy, ends the
// connection, and the client hears why, a listener's tcp_proxy needs
// max_connect_attempts MaxConnectAttempts, and backoff_options from
// ConnectBackoff to MaxConnectBackoff.
const (
	ConnectAttempts    = nodeconfig.ConnectAttempts
	MaxConnectAttempts = nodeconfig.MaxConnectAttempts
	ConnectBackoff     = nodeconfig.ConnectBackoff
	MaxConnectBackoff  = nodeconfig.MaxConnectBackoff
)

// FlowAware may be implemented by a DownstreamFilter that produces bytes for the
// client on its own. What only passes from the target to the client needs none
// of it: Envoy pauses the target itself.
type FlowAware interface {
	// OnHighWatermark says that what waits to be sent to the client is over the limit.
	OnHighWatermark()
	// OnLowWatermark says that it is under it again.
	OnLowWatermark()
}

// Network makes the two halves of a filter for one connection. The host
// gives the client's bytes to the DownstreamFilter (OnData) and the target's
// bytes to the UpstreamFilter (OnData); both own what happens next: nothing is
// passed on except by Conn.Write and Conn.Upstream().Write. Return values
// of OnData are ignored.
type Network interface {
	NewConn(Conn) (api.DownstreamFilter, api.UpstreamFilter)
}

// NetworkKind is one kind of network filter that the module offers, by the
// filter_name of its Envoy config.
type NetworkKind struct {
	Name string
	// Configure is called with the filter_config at load and again at each ECDS push (on Envoy's
	// main thread). An error rejects the push; what was in force stays.
	Configure func(config []byte) (Network, error)
}

// Socket is an accepted socket before TLS, as the host shows it to a listener filter.
type Socket interface {
	// Drain removes n bytes from what was peeked.
	Drain(n int) error
	// Write writes to the raw socket at once.
	Write(b []byte) error
	// Close refuses the connection.
	Close()
	ClientAddr() string
}

// SocketStatus is what a listener filter wants next. The zero value closes.
type SocketStatus uint8

const (
	SocketClose    SocketStatus = iota
	SocketNeedMore              // call again when more bytes are there
	SocketDone                  // go on with the chain
)

// Listener peeks at a socket's first bytes. One value serves one socket.
type Listener interface {
	// MaxPeek is how many bytes it wants to see at most.
	MaxPeek() int
	OnAccept(Socket) SocketStatus
	// OnData gets all peeked bytes that are not drained, borrowed.
	OnData(s Socket, peeked []byte) SocketStatus
}

// ListenerKind is one kind of listener filter that the module offers.
type ListenerKind struct {
	Name      string
	Configure func(config []byte) (func() Listener, error)
}
