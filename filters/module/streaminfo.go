package main

// #include "abi.h"
import "C"

import "github.com/envoyproxy/envoy/contrib/golang/common/go/api"

// streamInfo is what this host can tell of api.StreamInfo: the addresses, the
// cluster and the worker. All else is empty, and the parts that are interfaces
// are nil: filters.Conn has its own methods for what our filters need.
type streamInfo struct{ c *conn }

func (streamInfo) GetRouteName() string                { return "" }
func (streamInfo) FilterChainName() string             { return "" }
func (streamInfo) Protocol() (string, bool)            { return "", false }
func (streamInfo) ResponseCode() (uint32, bool)        { return 0, false }
func (streamInfo) ResponseCodeDetails() (string, bool) { return "", false }
func (streamInfo) DynamicMetadata() api.DynamicMetadata {
	return nil
}
func (streamInfo) FilterState() api.FilterState               { return nil }
func (streamInfo) VirtualClusterName() (string, bool)         { return "", false }
func (streamInfo) DrainConnectionUponCompletion()             {}
func (streamInfo) DownstreamSslConnection() api.SslConnection { return nil }

func (s streamInfo) AttemptCount() uint32            { return uint32(s.c.attempts()) }
func (s streamInfo) DownstreamLocalAddress() string  { return s.c.LocalAddr() }
func (s streamInfo) DownstreamRemoteAddress() string { return s.c.ClientAddr() }
func (s streamInfo) WorkerID() uint32                { return uint32(C.dgm_worker_index(s.c.envoy)) }

func (s streamInfo) UpstreamLocalAddress() (string, bool) {
	return s.c.attribute(C.DGM_ATTR_UPSTREAM_LOCAL_ADDRESS)
}

func (s streamInfo) UpstreamRemoteAddress() (string, bool) {
	addr := s.c.UpstreamAddr()
	return addr, addr != ""
}

func (s streamInfo) UpstreamClusterName() (string, bool) {
	var out C.dgm_buffer
	if !bool(C.dgm_upstream_cluster(s.c.envoy, &out)) {
		return "", false
	}
	return copied(out), true
}
