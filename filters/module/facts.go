package main

// #include "abi.h"
import "C"

import (
	"encoding/hex"
	"net"
	"strconv"

	"dragoman.dev/dragoman/filters"
)

// What Envoy knows about a connection.

// TLS implements filters.Conn. The certificate's facts are there once the
// handshake is done, which is before the first OnData.
func (c *conn) TLS() filters.TLS {
	var t filters.TLS
	var out C.dgm_buffer
	t.Active = bool(C.dgm_is_ssl(c.envoy))
	if bool(C.dgm_sni(c.envoy, &out)) {
		t.ServerName = copied(out)
	}
	if !t.Active {
		return t
	}
	t.URISANs = c.sans(true)
	t.DNSSANs = c.sans(false)
	if bool(C.dgm_ssl_subject(c.envoy, &out)) {
		t.Subject = copied(out)
	}
	t.CertSHA256, _ = c.attribute(C.DGM_ATTR_CONNECTION_SHA256_PEER_CERTIFICATE_DIGEST)
	return t
}

// maxSANs bounds what a certificate can make us allocate.
const maxSANs = 4096

func (c *conn) sans(uri bool) []string {
	n := C.dgm_sans_size(c.envoy, C.bool(uri))
	if n == 0 || n > maxSANs {
		return nil
	}
	bufs := make([]C.dgm_buffer, n)
	if !bool(C.dgm_sans(c.envoy, C.bool(uri), &bufs[0])) {
		return nil
	}
	names := make([]string, n)
	for i, b := range bufs {
		names[i] = copied(b)
	}
	return names
}

// UpstreamCertSHA256 implements filters.Conn.
func (c *conn) UpstreamCertSHA256() []byte {
	digest, ok := c.attribute(C.DGM_ATTR_UPSTREAM_SHA256_PEER_CERTIFICATE_DIGEST)
	if !ok {
		return nil
	}
	sum, err := hex.DecodeString(digest)
	if err != nil || len(sum) != 32 {
		return nil
	}
	return sum
}

// attribute is "" and false where Envoy has no such attribute, or no attributes.
func (c *conn) attribute(id C.int) (string, bool) {
	var out C.dgm_buffer
	if !bool(C.dgm_attribute(c.envoy, id, &out)) {
		return "", false
	}
	return copied(out), true
}

// count is a numeric attribute; 0 if there is none.
func (c *conn) count(id C.int) uint64 {
	var n C.uint64_t
	if !bool(C.dgm_attribute_int(c.envoy, id, &n)) {
		return 0
	}
	return uint64(n)
}

// ClientAddr implements filters.Conn.
func (c *conn) ClientAddr() string { return c.address(C.DGM_ADDR_REMOTE) }

// LocalAddr implements filters.Conn.
func (c *conn) LocalAddr() string { return c.address(C.DGM_ADDR_LOCAL) }

// UpstreamAddr implements filters.Conn.
func (c *conn) UpstreamAddr() string { return c.address(C.DGM_ADDR_UPSTREAM) }

func (c *conn) address(which C.int) string {
	var out C.dgm_buffer
	var port C.uint32_t
	if !bool(C.dgm_address(c.envoy, which, &out, &port)) {
		return ""
	}
	return hostPort(copied(out), uint32(port))
}

func hostPort(host string, port uint32) string {
	return net.JoinHostPort(host, strconv.FormatUint(uint64(port), 10))
}
