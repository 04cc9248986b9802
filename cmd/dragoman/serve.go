package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/lockout"
	"dragoman.dev/dragoman/web/api"
	"dragoman.dev/dragoman/web/page"
)

// maxGRPC bounds one message on the control connection, in bytes: a record chunk
// or a policy.
const maxGRPC = 64 << 20

// maxStreams bounds the calls of one connection: every hold that waits is one, and the longest are as many as may wait in all
// (authz/approval). A gateway has one connection.
const maxStreams = 20_000

// lockData takes the data folder for this process.
func lockData(cfg *config.Config) (unlock func() error, err error) {
	path := filepath.Join(cfg.RunDir(), "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another dragoman uses the data folder %s", cfg.Data), f.Close())
	}
	return f.Close, nil
}

// listenUnix listens on a socket that only this user may open. A socket that a
// dead process left is removed: the data folder's lock says that it is dead.
func listenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	return l, err
}

// serveControl serves Envoys: the local one on the unix socket, others over mutual TLS.
func (c *control) serveControl(fatal chan<- error) error {
	local, err := listenUnix(c.cfg.ControlSocket())
	if err != nil {
		return fmt.Errorf("the control socket: %w", err)
	}
	c.serveGRPC(local, fatal)
	remote := c.cfg.Envoy.Control
	if remote.Listen == "" {
		return nil
	}
	conf, err := mutualTLS(remote)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", remote.Listen)
	if err != nil {
		return fmt.Errorf("envoy.control.listen: %w", err)
	}
	c.serveGRPC(l, fatal, grpc.Creds(credentials.NewTLS(conf)))
	return nil
}

// controlOptions bound what one connection may ask for.
func controlOptions() []grpc.ServerOption {
	return append(check.ServerOptions(), grpc.MaxRecvMsgSize(maxGRPC), grpc.MaxConcurrentStreams(maxStreams))
}

func (c *control) serveGRPC(l net.Listener, fatal chan<- error, opts ...grpc.ServerOption) {
	s := grpc.NewServer(append(controlOptions(), opts...)...)
	c.register(s)
	c.onClose(func() error { s.Stop(); return nil })
	go func() {
		if err := s.Serve(l); err != nil {
			report(fatal, fmt.Errorf("serve %s: %w", l.Addr(), err))
		}
	}()
}

// mutualTLS reads the certificate at each handshake, so that a renewed one is taken.
func mutualTLS(o config.ControlListen) (*tls.Config, error) {
	pem, err := os.ReadFile(o.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("envoy.control.client_ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("envoy.control.client_ca: %s holds no certificate", o.ClientCA)
	}
	conf, err := serverTLS(o.Cert, o.Key)
	if err != nil {
		return nil, fmt.Errorf("envoy.control: %w", err)
	}
	conf.ClientCAs, conf.ClientAuth = pool, tls.RequireAndVerifyClientCert
	return conf, nil
}

func serverTLS(cert, key string) (*tls.Config, error) {
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil { // now, not at the first handshake
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		return &pair, err
	}}, nil
}

// serveAdmin serves the HTTP API on the admin socket and, if there is one, on the port.
func (c *control) serveAdmin(ctx context.Context, sys api.System, more page.Console, fatal chan<- error) error {
	back := api.Backend{Tokens: tokenBackend{c}, Approvals: approvalBackend{c.approvals}, Sessions: sessionBackend{c},
		Reads: readBackend{c}, Proofs: c.records, System: sys, Log: c.log, IdentityKeys: c.assertions.JWKS,
		Lockout: lockout.New(lockout.Config{}, time.Now)}
	var people http.Handler
	var access api.Bearer
	if c.cfg.Admin.Listen != "" {
		var err error
		if access, err = bearerOf(ctx, c.cfg, c.auth); err != nil {
			return err
		}
		logins := page.NewLogins(access, time.Now)
		logins.Secure = strings.HasPrefix(c.cfg.Admin.PageURL(), "https://")
		back.Logins = logins
		provider, err := pageProvider(c.cfg)
		if err != nil {
			return err
		}
		people = page.New(back, logins, provider, more)
	}
	local, err := listenUnix(c.cfg.Admin.Socket)
	if err != nil {
		return fmt.Errorf("the admin socket: %w", err)
	}
	c.serveHTTP(local, api.New(back, api.Socket{}), fatal)
	if c.cfg.Admin.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", c.cfg.Admin.Listen)
	if err != nil {
		return fmt.Errorf("admin.listen: %w", err)
	}
	l = netutil.LimitListener(l, adminLimits.conns)
	if a := c.cfg.Admin.TLS; a.Cert != "" {
		conf, err := serverTLS(a.Cert, a.Key)
		if err != nil {
			return fmt.Errorf("admin.tls: %w", err)
		}
		conf.NextProtos = []string{"http/1.1"}
		l = tls.NewListener(l, conf)
	}
	c.serveHTTP(l, c.withClicks(beside(api.New(back, access), people, c.agents(back.Lockout))), fatal)
	return nil
}

func (c *control) serveHTTP(l net.Listener, h http.Handler, fatal chan<- error) {
	s := adminServer(h, adminLimits)
	c.onClose(s.Close)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			report(fatal, fmt.Errorf("serve %s: %w", l.Addr(), err))
		}
	}()
}

// report hands over the first fatal error; later ones are its consequences.
func report(fatal chan<- error, err error) {
	select {
	case fatal <- err:
	default:
	}
}
