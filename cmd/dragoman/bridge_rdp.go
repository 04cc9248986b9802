package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"time"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/record"
	rdpbridge "dragoman.dev/dragoman/sshbridge/rdp"
)

func (b *bridge) serveRDP(cfg *config.Config) error {
	s, err := rdpbridge.New(rdpbridge.Options{Runtime: b.rt, Policy: b.policy, Log: b.log, Now: time.Now,
		Target: func(name string) (*rdpbridge.Target, bool) { t, ok := b.now.Load().rdp[name]; return t, ok }})
	if err != nil {
		return err
	}
	return b.listen(s, cfg.RDPSocket(cfg.Envoy.Node))
}

var keyboards = map[string]rdpbridge.Keyboard{config.KeysMasked: rdpbridge.KeysMasked, config.KeysClear: rdpbridge.KeysClear, config.KeysNone: rdpbridge.KeysNone}

func rdpTarget(cfg *config.Config, t *config.Target, mode record.Mode) (*rdpbridge.Target, error) {
	up, err := upstreamTLS(t.TLS.Upstream)
	if err != nil {
		return nil, err
	}
	client, err := rdpClientTLS(cfg, t)
	if err != nil {
		return nil, fmt.Errorf("tls.client: %w", err)
	}
	return &rdpbridge.Target{Policy: t.Policy(), Addresses: t.Addresses, TLS: up, Client: client, NLA: t.RDP.NLA, Mode: mode,
		Clipboard: t.RDP.Clipboard, Keyboard: keyboards[t.RDP.Keyboard],
		Connect: t.Limits.ConnectTimeout.Std(), Login: t.Limits.LoginTimeout.Std(), Hold: t.Limits.HoldTimeout.Std(), Idle: t.Limits.IdleTimeout.Std()}, nil
}

// rdpClientTLS is our side of TLS towards clients. The files are read at each handshake, so that a renewed certificate is taken.
func rdpClientTLS(cfg *config.Config, t *config.Target) (*tls.Config, error) {
	cert, key := t.TLS.Client.Cert, t.TLS.Client.Key
	if cert == "" {
		cert, key = cfg.RDPCertificate(), cfg.RDPKey()
		if err := makeCertificate(cert, key); err != nil {
			return nil, err
		}
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		return nil, err
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		return &pair, err
	}}
	if ca := t.TLS.Client.ClientCA; ca != "" {
		b, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		if out.ClientCAs = x509.NewCertPool(); !out.ClientCAs.AppendCertsFromPEM(b) {
			return nil, errors.New("client_ca holds no certificate")
		}
		out.ClientAuth = tls.VerifyClientCertIfGiven
		if t.TLS.Client.Required {
			out.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	return out, nil
}

// ownCertificate is how long a certificate that is made here is good. Clients that do not know it ask their
// user once, as they do for every server that has made its own.
const ownCertificate = 10 * 365 * 24 * time.Hour

// makeCertificate makes a key and a certificate that signs itself, where there is none.
func makeCertificate(cert, key string) error {
	if _, err := os.Stat(cert); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "dragoman"
	}
	now := time.Now()
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: host}, DNSNames: []string{host, "localhost"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(ownCertificate),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &priv.PublicKey, priv)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return err
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
