package main

// #include "abi.h"
import "C"

import (
	"log/slog"
	"unsafe"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"
)

// streamInfo is what this host can tell of api.StreamInfo: the addresses, the
// cluster, the worker and the filter state. All else is empty, and the other parts
// that are interfaces are nil: filters.Conn has its own methods for what our
// filters need.
type streamInfo struct{ c *conn }

func (streamInfo) GetRouteName() string                { return "" }
func (streamInfo) FilterChainName() string             { return "" }
func (streamInfo) Protocol() (string, bool)            { return "", false }
func (streamInfo) ResponseCode() (uint32, bool)        { return 0, false }
func (streamInfo) ResponseCodeDetails() (string, bool) { return "", false }
func (streamInfo) DynamicMetadata() api.DynamicMetadata {
	return nil
}
func (s streamInfo) FilterState() api.FilterState             { return filterState(s) }
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

// filterState sets and reads filter state whose key Envoy has a type for, which is
// what its other filters read. It lasts as long as the connection and can be set
// again, whatever is asked for.
type filterState struct{ c *conn }

// originalDst makes a cluster of type ORIGINAL_DST connect to the address in it.
const originalDst = "envoy.network.transport_socket.original_dst_address"

func (f filterState) SetString(key, value string, _ api.StateType, _ api.LifeSpan, _ api.StreamSharing) {
	if !f.c.setState(key, value) {
		newLogger().Error("Envoy did not take the filter state", slog.String("key", key))
		return
	}
	if key == originalDst {
		f.c.overridden = true
	}
}

func (f filterState) GetString(key string) string {
	k := []byte(key)
	var out C.dgm_buffer
	if len(k) == 0 || !bool(C.dgm_get_state(f.c.envoy, unsafe.Pointer(&k[0]), C.size_t(len(k)), &out)) {
		return ""
	}
	return copied(out)
}

func (c *conn) setState(key, value string) bool {
	k, v := []byte(key), []byte(value)
	if len(k) == 0 || len(v) == 0 {
		return false
	}
	return bool(C.dgm_set_state(c.envoy, unsafe.Pointer(&k[0]), C.size_t(len(k)), unsafe.Pointer(&v[0]), C.size_t(len(v))))
}
