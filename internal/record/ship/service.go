// Package ship carries records from a gateway node's spool to the control plane: at least
// once, resumed from what is acknowledged, freed when it is safe. It owns the wire (ship.proto) and
// both ends of it; how records are kept is the Ingest's matter, how to reach the
// control plane the dialer's.
package ship

import (
	"google.golang.org/grpc"

	"dragoman.dev/dragoman/internal/record/ship/shippb"
)

const (
	serviceName   = "dragoman.record.v1.Ship"
	connectMethod = "/" + serviceName + "/Connect"

	// pieceSize is how much of a stream one message carries. With what is around it, it fits gRPC's 32 KiB
	// buffers; the next larger ones have 1 MiB, all of which is cleared for each message.
	pieceSize = 32<<10 - 512
	// readSize is how much is read from the spool at a time.
	readSize = 8 * pieceSize
)

// Control asks a node to end sessions: one of Session and Token is set.
type Control struct {
	Session string
	Token   string // the credential's id (identity.TokenID)
	Reason  string // for record.Close: "revoked", "admin: words of theirs" …
}

type connectServer = grpc.BidiStreamingServer[shippb.NodeMessage, shippb.ControlMessage]
type connectClient = grpc.BidiStreamingClient[shippb.NodeMessage, shippb.ControlMessage]

// shipService is what the descriptor's handler calls.
type shipService interface {
	connect(connectServer) error
}

var connectDesc = grpc.StreamDesc{
	StreamName: "Connect",
	Handler: func(srv any, stream grpc.ServerStream) error {
		return srv.(shipService).connect(&grpc.GenericServerStream[shippb.NodeMessage, shippb.ControlMessage]{ServerStream: stream})
	},
	ServerStreams: true,
	ClientStreams: true,
}

var serviceDesc = grpc.ServiceDesc{
	ServiceName: serviceName,
	HandlerType: (*shipService)(nil),
	Streams:     []grpc.StreamDesc{connectDesc},
	Metadata:    "ship.proto",
}

func welcome(format uint32) *shippb.ControlMessage {
	return &shippb.ControlMessage{Message: &shippb.ControlMessage_Welcome{Welcome: &shippb.Welcome{Format: format}}}
}

func (c Control) message() *shippb.ControlMessage {
	return &shippb.ControlMessage{Message: &shippb.ControlMessage_Control{
		Control: &shippb.Control{Session: c.Session, Token: c.Token, Reason: c.Reason}}}
}

func (a Ack) message() *shippb.ControlMessage {
	return &shippb.ControlMessage{Message: &shippb.ControlMessage_Ack{
		Ack: &shippb.Ack{Session: a.Session, Offset: a.Offset, Diverged: a.Diverged, Retry: a.Retry}}}
}

func data(session string, offset uint64, b []byte) *shippb.NodeMessage {
	return &shippb.NodeMessage{Message: &shippb.NodeMessage_Data{
		Data: &shippb.Data{Session: session, Offset: offset, Data: b}}}
}

func ended(session string, offset uint64) *shippb.NodeMessage {
	return &shippb.NodeMessage{Message: &shippb.NodeMessage_Ended{Ended: &shippb.Ended{Session: session, Offset: offset}}}
}
