package filters

import "github.com/envoyproxy/envoy/contrib/golang/common/go/api"

// HTTPStream is one HTTP request and its response, as the host shows it to an
// api.StreamFilter. The embedded api.FilterCallbackHandler is Envoy's Go filter API as far as stock
// Envoy can serve it: InjectData and the secret manager are not to be had.
//
// The contract beside that of the package:
//   - All methods of one stream run on its worker, one at a time. Post may be called from anywhere.
//   - Header maps stay usable until OnDestroy, within the stream's callbacks and posted functions. A
//     BufferInstance is valid until the callback returns, and so are its Bytes.
//   - A filter that stops says so for each callback (HeaderStopIteration, DataStopIterationAndWatermark …);
//     Continue then passes on all that was kept, without showing it to the filter again. HeaderStopAllIteration…
//     must not be used: Envoy's own books go wrong when a filter stops within a continue.
//   - What SendLocalReply sends is not shown to the filter. What Envoy itself answers is.
//   - OnStreamComplete and OnLog come with OnDestroy: there is no Envoy to ask any more.
//   - A panic answers 500, or resets the stream when a response has begun. The filter still gets OnDestroy.
type HTTPStream interface {
	api.FilterCallbackHandler

	// Post runs f on the stream's worker, in order of the calls. It reports false when the
	// stream is gone; f is then never run.
	Post(f func()) bool
	// Headers answers with a head that has no body (:status first), as a gRPC refusal must be: SendLocalReply
	// would tell a gRPC client that all is well.
	Headers(headers [][2]string)
	// Reset ends the stream without another word. details is for the access log.
	Reset(details string)
	// BufferLimit sets how many bytes of a body Envoy keeps for a filter that has stopped.
	BufferLimit(bytes uint64)
	// TLS describes the client's side. URISANs has at most the first of the certificate.
	TLS() TLS
	// ClientAddr, LocalAddr and UpstreamAddr are host:port, "" where not known.
	ClientAddr() string
	LocalAddr() string
	UpstreamAddr() string
	// Protocol is the client's: "HTTP/1.1", "HTTP/2".
	Protocol() string
}

// HTTP makes the filters of one listener's streams.
type HTTP interface {
	NewStream(HTTPStream) api.StreamFilter
}

// HTTPKind is one kind of HTTP filter that the module offers, by the filter_name of its Envoy config.
type HTTPKind struct {
	Name string
	// Configure is called with the filter_config at load and again at each ECDS push (on Envoy's
	// main thread). An error rejects the push; what was in force stays.
	Configure func(config []byte) (HTTP, error)
}

// Traced may be implemented by an HTTPStream whose Envoy traces requests.
type Traced interface {
	// Trace gives the ids of the request's span, in lower-case hexadecimal; false when it has none.
	Trace() (trace, span string, ok bool)
	// TraceName names the span, and TraceTag sets an attribute of it.
	TraceName(name string)
	TraceTag(key, value string)
}
