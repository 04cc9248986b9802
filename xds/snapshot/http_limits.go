package snapshot

import (
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What a client may do at the level of frames before its connection is closed. Most are what Envoy takes by itself, said here so
// that they stay with another version. Besides these, Envoy closes a connection of which more than half of at least 500
// streams were reset within a second of their beginning (rapid reset, CVE-2023-44487).
const (
	maxHead          = 60   // KiB of a request's head, decoded: also what HPACK makes of a few bytes
	maxFields        = 100  // of a request's head
	maxStreams       = 256  // at a time, of one HTTP/2 connection
	maxControlFrames = 1000 // acknowledgements, resets and the like that a client does not take
	maxFrames        = 4096 // of any kind that a client does not take
	maxEmptyFrames   = 1    // one after the other without a payload and an end
	maxPriorities    = 100  // PRIORITY frames for each stream
	maxWindowUpdates = 10   // for each DATA frame that we sent
	hpackTable       = 4096 // bytes of the table that a client may fill
	streamWindow     = 256 << 10
	connWindow       = 1 << 20
)

// httpTwo are the options of HTTP/2 towards clients.
func httpTwo() *core.Http2ProtocolOptions {
	return &core.Http2ProtocolOptions{
		AllowConnect:                                 true, // WebSocket over HTTP/2 (RFC 8441); our filter refuses all else
		HpackTableSize:                               wrapperspb.UInt32(hpackTable),
		MaxConcurrentStreams:                         wrapperspb.UInt32(maxStreams),
		InitialStreamWindowSize:                      wrapperspb.UInt32(streamWindow), // what Envoy may have to keep of one stream
		InitialConnectionWindowSize:                  wrapperspb.UInt32(connWindow),
		MaxOutboundFrames:                            wrapperspb.UInt32(maxFrames),
		MaxOutboundControlFrames:                     wrapperspb.UInt32(maxControlFrames),
		MaxConsecutiveInboundFramesWithEmptyPayload:  wrapperspb.UInt32(maxEmptyFrames),
		MaxInboundPriorityFramesPerStream:            wrapperspb.UInt32(maxPriorities),
		MaxInboundWindowUpdateFramesPerDataFrameSent: wrapperspb.UInt32(maxWindowUpdates),
	}
}
