package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/nodeconfig"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

// NewRuntime makes the Runtime of an Envoy process from its environment
// (nodeconfig's Env names): the control plane's address, the node's id and the
// spool's folder. It opens the spool, connects to the control plane when first
// needed, and ships records in the background.
//
// With an error the Runtime is usable as well, and refuses every session with it.
func NewRuntime(env func(string) string, log *slog.Logger) (*Runtime, error) {
	rt, err := newRuntime(env, log)
	if err != nil {
		return Broken(log, err), err
	}
	return rt, nil
}

func newRuntime(env func(string) string, log *slog.Logger) (*Runtime, error) {
	control, node, dir := env(nodeconfig.EnvControl), env(nodeconfig.EnvNode), env(nodeconfig.EnvSpool)
	for name, value := range map[string]string{nodeconfig.EnvControl: control, nodeconfig.EnvNode: node, nodeconfig.EnvSpool: dir} {
		if value == "" {
			return nil, fmt.Errorf("%s is not set in Envoy's environment", name)
		}
	}
	conn, err := Dial(env)
	if err != nil {
		return nil, err
	}
	spool, err := record.OpenSpool(dir, record.Options{Log: log})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	rt := New(Options{Node: node, Authorizer: check.NewClient(conn, nil), Spool: spool, Log: log})
	rt.slack = make([]byte, slack)
	ctx, cancel := context.WithCancel(context.Background())
	shipped := make(chan struct{})
	shipper := ship.NewShipper(ship.Options{Spool: spool, Conn: conn, Node: node, OnControl: rt.control, Log: log})
	go func() {
		defer close(shipped)
		shipper.Run(ctx)
	}()
	rt.close = append(rt.close, func() {
		cancel()
		<-shipped
		spool.Close()
		_ = conn.Close() // nothing is in flight
	})
	return rt, nil
}

// Dial is a connection to the control plane that the environment names, made when it is first needed.
func Dial(env func(string) string) (*grpc.ClientConn, error) {
	control := env(nodeconfig.EnvControl)
	creds, err := transport(control, env)
	if err != nil {
		return nil, err
	}
	conn, err := check.Dial(control, creds)
	if err != nil {
		return nil, fmt.Errorf("control plane %s: %w", control, err)
	}
	return conn, nil
}

// control is a word from the control plane about live sessions. Its reason is one of record.Close's,
// which may have words of an administrator behind a colon.
func (rt *Runtime) control(c ship.Control) {
	reason, words, _ := strings.Cut(c.Reason, ": ")
	message := ""
	switch reason {
	case "", "revoked":
		reason, message = "revoked", "its credential was revoked"
	case "expired":
		message = "its credential has expired"
	default:
		message = "an administrator ended it"
	}
	if words != "" {
		message += ": " + words
	}
	switch {
	case c.Session != "":
		rt.EndSession(c.Session, reason, message)
	case c.Token != "":
		rt.live.endByToken(c.Token, reason, message)
	}
}

// transport gives the credentials towards the control plane: none over a unix
// socket (its folder's permissions protect it), mutual TLS otherwise.
func transport(control string, env func(string) string) (credentials.TransportCredentials, error) {
	ca, cert, key := env(nodeconfig.EnvTLSCA), env(nodeconfig.EnvTLSCert), env(nodeconfig.EnvTLSKey)
	if strings.HasPrefix(control, "unix:") && ca == "" {
		return insecure.NewCredentials(), nil
	}
	if ca == "" || cert == "" || key == "" {
		return nil, fmt.Errorf("%s, %s and %s must be set for a control plane that is not a unix socket",
			nodeconfig.EnvTLSCA, nodeconfig.EnvTLSCert, nodeconfig.EnvTLSKey)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("control plane's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("control plane's CA: %s holds no certificate", ca)
	}
	// The certificate is read at each handshake, so that a renewed one is taken.
	return credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(cert, key)
			return &pair, err
		}}), nil
}
