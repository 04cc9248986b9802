// Package kube serves exec, attach and port-forward of targets of protocol kubernetes behind an Envoy
// listener: requests that become streams of bytes, which an HTTP filter cannot follow. Everything else of
// the API goes through the HTTP filter, which refuses these.
//
// A request is read by internal/kube, its session opened by authz, its command judged as one of SSH is
// (internal/shell), held where policy says so, and all that before its connection is upgraded: whatever may not
// run is answered with a Kubernetes Status. Then the target is asked, and the streams are recorded, masked
// and passed on, each piece before it moves (internal/session).
//
// It owns how Kubernetes carries streams, over WebSocket (package websocket) and SPDY (package spdy), on both sides, and
// the order of things. A port-forward has many connections, each of which is judged for itself; it is off unless
// the target allows it. What is recorded has the form of internal/sshwire, so that it replays as an SSH session does.
package kube
