package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/record"
	kubebridge "dragoman.dev/dragoman/sshbridge/kube"
)

func (b *bridge) serveKube(cfg *config.Config) error {
	s, err := kubebridge.New(kubebridge.Options{Runtime: b.rt, Policy: b.policy, Log: b.log, Now: time.Now,
		Target: func(name string) (*kubebridge.Target, bool) { t, ok := b.now.Load().kube[name]; return t, ok }})
	if err != nil {
		return err
	}
	return b.listen(s, cfg.KubeSocket(cfg.Envoy.Node))
}

func kubeTarget(t *config.Target, mode record.Mode) (*kubebridge.Target, error) {
	up, err := upstreamTLS(t.TLS.Upstream)
	if err != nil {
		return nil, err
	}
	return &kubebridge.Target{Policy: t.Policy(), Addresses: t.Addresses, TLS: up, Host: t.HTTP.Host, Mode: mode,
		AllowCleartext: *t.AllowCleartext, ExecOnly: t.Kubernetes.ExecOnly, Forward: t.Kubernetes.Forward, Streams: t.Kubernetes.Streams,
		Connect: t.Limits.ConnectTimeout.Std(), Hold: t.Limits.HoldTimeout.Std(), Idle: t.Limits.IdleTimeout.Std()}, nil
}

// upstreamTLS is a target's tls.upstream for connections of our own; nil in clear text.
func upstreamTLS(u config.UpstreamTLS) (*tls.Config, error) {
	if u.Mode == config.TLSDisable {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.ServerName, InsecureSkipVerify: u.Mode == config.TLSRequire}
	if u.CA != "" {
		pem, err := os.ReadFile(u.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.upstream: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls.upstream: ca holds no certificate")
		}
	}
	if u.Cert != "" { // read at each handshake, so that a renewed one is taken
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(u.Cert, u.Key)
			return &pair, err
		}
	}
	return c, nil
}
