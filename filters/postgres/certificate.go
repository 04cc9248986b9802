package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"dragoman.dev/dragoman/filters/postgres/login"
	"dragoman.dev/dragoman/filters/postgres/wire"
)

// Channel binding (RFC 5929, tls-server-end-point) needs the digest of the target's certificate by the hash
// that it is signed with. Envoy tells its SHA-256 only, and not which hash that is. So the gateway asks the
// endpoint for its certificate, once for each, on a connection on which it sends nothing else, and takes
// what comes only if it is the certificate that Envoy has on the session's own connection.

// endPoints are the binding data by the certificate's SHA-256. Nil data: there is no binding with it.
type endPoints struct {
	mu   sync.Mutex
	data map[[sha256.Size]byte][]byte
}

// maxEndPoints bounds them: a target has few certificates at a time.
const maxEndPoints = 64

// certificateTimeout bounds the asking.
const certificateTimeout = 5 * time.Second

func (e *endPoints) find(digest []byte) (data []byte, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	data, ok = e.data[[sha256.Size]byte(digest)]
	return data, ok
}

func (e *endPoints) keep(digest, data []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.data == nil || len(e.data) >= maxEndPoints {
		e.data = map[[sha256.Size]byte][]byte{}
	}
	e.data[[sha256.Size]byte(digest)] = data
}

// mechanismPlus is how a target offers SCRAM with channel binding.
var mechanismPlus = []byte("SCRAM-SHA-256-PLUS\x00")

// askCertificate reports whether the login has to wait for the certificate of the target before it answers m; resume is
// called then on the worker.
func (c *conn) askCertificate(m *wire.Piece, resume func()) bool {
	l := c.login
	if l.client != nil || !c.cfg.binds() || !bytes.Contains(m.Body, mechanismPlus) {
		return false
	}
	digest := c.host.UpstreamCertSHA256()
	if len(digest) != sha256.Size {
		return false
	}
	if data, ok := c.t.certs.find(digest); ok {
		l.options.CertSHA256 = data
		return false
	}
	addr := c.host.UpstreamAddr()
	go func() {
		data, err := endPoint(addr, digest)
		if err == nil {
			c.t.certs.keep(digest, data)
		}
		c.host.Post(func() {
			if err != nil {
				c.t.rt.Log().Warn("the target's certificate, for channel binding", "target", c.cfg.Target.Name, "error", err)
			}
			if c.state == stLogin && c.login == l {
				l.options.CertSHA256 = data
				resume()
			}
		})
	}()
	return true
}

// endPoint asks a PostgreSQL endpoint for its certificate and gives the binding data of the one with the digest.
func endPoint(addr string, digest []byte) (data []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			data, err = nil, fmt.Errorf("panic: %v", r)
		}
	}()
	ctx, stop := context.WithTimeout(context.Background(), certificateTimeout)
	defer stop()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	leaf, err := leafOf(ctx, conn)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(leaf); !bytes.Equal(sum[:], digest) {
		return nil, errors.New("it is not the one of the session's connection")
	}
	cert, err := x509.ParseCertificate(leaf)
	if err != nil {
		return nil, err
	}
	return login.EndPoint(cert), nil
}

// leafOf begins TLS with a PostgreSQL server and gives its certificate (DER).
func leafOf(ctx context.Context, conn net.Conn) (leaf []byte, err error) {
	var answer [1]byte
	if _, err := conn.Write(wire.SSLRequest()); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, errors.New("it does not offer TLS")
	}
	// Nothing is trusted here: the digest says whether it is the certificate that Envoy verified.
	config := &tls.Config{InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
		if len(raw) > 0 {
			leaf = raw[0]
		}
		return nil
	}}
	err = tls.Client(conn, config).HandshakeContext(ctx)
	if leaf == nil {
		return nil, errors.Join(errors.New("no certificate came"), err)
	}
	return leaf, nil
}
