// Package spdy is SPDY/3.1 as Kubernetes uses it: streams of bytes over one connection, without flow control, which
// no peer here has. Frames are read in pieces, so that their length needs no bound and no memory; headers, which
// are a stream's type, port and number, are short and few.
//
// It owns the frames on both sides, and leaves to its user what a stream is for. See the protocol's draft 3.1 (chromium.org).
package spdy
