package main

// #include "http.h"
import "C"

import (
	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// What Envoy knows about a stream.

func (s *stream) attribute(id C.int) string {
	var out C.dgm_buffer
	if s.gone || !bool(C.dgm_http_attribute(s.envoy, id, &out)) {
		return ""
	}
	return copied(out)
}

func (s *stream) number(id C.int) (uint64, bool) {
	var out C.uint64_t
	if s.gone || !bool(C.dgm_http_attribute_int(s.envoy, id, &out)) {
		return 0, false
	}
	return uint64(out), true
}

// TLS implements filters.HTTPStream.
func (s *stream) TLS() filters.TLS {
	if s.streamTLS != nil {
		return *s.streamTLS
	}
	t := filters.TLS{ServerName: s.attribute(C.DGM_ATTR_SERVER_NAME), Active: s.attribute(C.DGM_ATTR_TLS_VERSION) != ""}
	if t.Active {
		t.Subject, t.CertSHA256 = s.attribute(C.DGM_ATTR_PEER_SUBJECT), s.attribute(C.DGM_ATTR_PEER_SHA256)
		if n := s.attribute(C.DGM_ATTR_PEER_URI_SAN); n != "" {
			t.URISANs = []string{n}
		}
		if n := s.attribute(C.DGM_ATTR_PEER_DNS_SAN); n != "" {
			t.DNSSANs = []string{n}
		}
	}
	s.streamTLS = &t
	return t
}

// ClientAddr, LocalAddr, UpstreamAddr and Protocol implement filters.HTTPStream.
func (s *stream) ClientAddr() string   { return s.attribute(C.DGM_ATTR_SOURCE_ADDRESS) }
func (s *stream) LocalAddr() string    { return s.attribute(C.DGM_ATTR_DESTINATION_ADDRESS) }
func (s *stream) UpstreamAddr() string { return s.attribute(C.DGM_ATTR_UPSTREAM_ADDRESS) }
func (s *stream) Protocol() string     { return s.attribute(C.DGM_ATTR_REQUEST_PROTOCOL) }

// properties are the attributes that GetProperty knows, by Envoy's names.
var properties = map[string]C.int{
	"request.id": C.DGM_ATTR_REQUEST_ID, "request.protocol": C.DGM_ATTR_REQUEST_PROTOCOL,
	"source.address": C.DGM_ATTR_SOURCE_ADDRESS, "destination.address": C.DGM_ATTR_DESTINATION_ADDRESS,
	"response.code_details": C.DGM_ATTR_RESPONSE_CODE_DETAILS, "upstream.address": C.DGM_ATTR_UPSTREAM_ADDRESS,
	"connection.requested_server_name": C.DGM_ATTR_SERVER_NAME, "connection.tls_version": C.DGM_ATTR_TLS_VERSION,
	"connection.subject_peer_certificate":       C.DGM_ATTR_PEER_SUBJECT,
	"connection.uri_san_peer_certificate":       C.DGM_ATTR_PEER_URI_SAN,
	"connection.dns_san_peer_certificate":       C.DGM_ATTR_PEER_DNS_SAN,
	"connection.sha256_peer_certificate_digest": C.DGM_ATTR_PEER_SHA256,
}

// GetProperty implements api.StreamFilterCallbacks.
func (s *stream) GetProperty(key string) (string, error) {
	id, ok := properties[key]
	if !ok {
		return "", api.ErrValueNotFound
	}
	if v := s.attribute(id); v != "" {
		return v, nil
	}
	return "", api.ErrValueNotFound
}

// StreamInfo implements api.StreamFilterCallbacks.
func (s *stream) StreamInfo() api.StreamInfo { return httpInfo{s: s} }

// httpInfo is what this host can tell of api.StreamInfo; the rest is empty.
type httpInfo struct{ s *stream }

func (httpInfo) GetRouteName() string    { return "" }
func (httpInfo) FilterChainName() string { return "" }
func (i httpInfo) Protocol() (string, bool) {
	p := i.s.Protocol()
	return p, p != ""
}

func (i httpInfo) ResponseCode() (uint32, bool) {
	n, ok := i.s.number(C.DGM_ATTR_RESPONSE_CODE)
	return uint32(n), ok
}

func (i httpInfo) ResponseCodeDetails() (string, bool) {
	d := i.s.attribute(C.DGM_ATTR_RESPONSE_CODE_DETAILS)
	return d, d != ""
}

func (i httpInfo) AttemptCount() uint32 {
	n, _ := i.s.number(C.DGM_ATTR_UPSTREAM_REQUEST_ATTEMPT_COUNT)
	return uint32(n)
}

func (httpInfo) DynamicMetadata() api.DynamicMetadata       { return nil }
func (i httpInfo) DownstreamLocalAddress() string           { return i.s.LocalAddr() }
func (i httpInfo) DownstreamRemoteAddress() string          { return i.s.ClientAddr() }
func (httpInfo) FilterState() api.FilterState               { return nil }
func (httpInfo) VirtualClusterName() (string, bool)         { return "", false }
func (httpInfo) DrainConnectionUponCompletion()             {}
func (httpInfo) DownstreamSslConnection() api.SslConnection { return nil }

func (i httpInfo) UpstreamLocalAddress() (string, bool) {
	a := i.s.attribute(C.DGM_ATTR_UPSTREAM_LOCAL_ADDRESS)
	return a, a != ""
}

func (i httpInfo) UpstreamRemoteAddress() (string, bool) {
	a := i.s.UpstreamAddr()
	return a, a != ""
}

func (i httpInfo) UpstreamClusterName() (string, bool) {
	var out C.dgm_buffer
	if i.s.gone || !bool(C.dgm_http_cluster(i.s.envoy, &out)) {
		return "", false
	}
	return copied(out), true
}

func (i httpInfo) WorkerID() uint32 {
	if i.s.gone {
		return 0
	}
	return uint32(C.dgm_http_worker(i.s.envoy))
}
