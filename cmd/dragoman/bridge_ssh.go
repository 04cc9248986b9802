package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/identity/sshkey"
	"dragoman.dev/dragoman/internal/record"
	sshbridge "dragoman.dev/dragoman/sshbridge/ssh"
)

func sshTarget(t *config.Target, mode record.Mode) (*sshbridge.Target, error) {
	verify, algorithms, err := hostProof(t)
	if err != nil {
		return nil, err
	}
	return &sshbridge.Target{Policy: t.Policy(), Addresses: t.Addresses, HostKey: verify, HostKeyAlgorithms: algorithms, Mode: mode,
		ExecOnly: t.SSH.ExecOnly, Env: t.SSH.Env, Forward: t.SSH.Forward, KeepFiles: *t.SSH.KeepFiles, KeepAlive: t.SSH.KeepAlive.Std(),
		Connect: t.Limits.ConnectTimeout.Std(), Login: t.Limits.LoginTimeout.Std(), Hold: t.Limits.HoldTimeout.Std(), Idle: t.Limits.IdleTimeout.Std()}, nil
}

// hostProof verifies a target's host key: by its known_hosts file, by keys and by authorities of the config. Whatever none
// of them knows is refused.
func hostProof(t *config.Target) (ssh.HostKeyCallback, func(string) []string, error) {
	var file ssh.HostKeyCallback
	if t.SSH.KnownHosts != "" {
		var err error
		if file, err = knownhosts.New(t.SSH.KnownHosts); err != nil {
			return nil, nil, fmt.Errorf("ssh.known_hosts: %w", err)
		}
	}
	keys, err := publicKeys(t.SSH.HostKeys)
	if err != nil {
		return nil, nil, err
	}
	authorities, err := publicKeys(t.SSH.HostAuthorities)
	if err != nil {
		return nil, nil, err
	}
	has := func(list []ssh.PublicKey, k ssh.PublicKey) bool {
		return slices.ContainsFunc(list, func(o ssh.PublicKey) bool { return string(o.Marshal()) == string(k.Marshal()) })
	}
	checker := &ssh.CertChecker{
		IsHostAuthority: func(k ssh.PublicKey, _ string) bool { return has(authorities, k) },
		HostKeyFallback: func(addr string, remote net.Addr, k ssh.PublicKey) error {
			if has(keys, k) {
				return nil
			}
			if file != nil {
				return file(addr, remote, k)
			}
			return fmt.Errorf("its host key %s is not one of ssh.host_keys", ssh.FingerprintSHA256(k))
		},
	}
	verify := func(addr string, remote net.Addr, k ssh.PublicKey) error {
		if cert, ok := k.(*ssh.Certificate); ok && file != nil && !has(authorities, cert.SignatureKey) {
			return file(addr, remote, k) // @cert-authority lines
		}
		return checker.CheckHostKey(addr, remote, k)
	}
	return verify, func(addr string) []string { return keyAlgorithms(addr, file, keys, len(authorities) > 0) }, nil
}

// keyAlgorithms are those of the keys that are known for the address, so that a target with several keys shows one of them; nil
// when any may come.
func keyAlgorithms(addr string, file ssh.HostKeyCallback, keys []ssh.PublicKey, certificates bool) []string {
	known := slices.Clone(keys)
	if file != nil {
		var unknown *knownhosts.KeyError
		if err := file(addr, &net.TCPAddr{}, probeKey{}); errors.As(err, &unknown) {
			for _, k := range unknown.Want {
				known = append(known, k.Key)
			}
		}
		certificates = true
	}
	if certificates || len(known) == 0 {
		return nil
	}
	var out []string
	for _, k := range known {
		switch k.Type() {
		case ssh.KeyAlgoRSA:
			out = append(out, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			out = append(out, k.Type())
		}
	}
	return out
}

// probeKey is a key that no file has.
type probeKey struct{}

func (probeKey) Type() string                        { return "probe" }
func (probeKey) Marshal() []byte                     { return []byte("probe") }
func (probeKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

func publicKeys(lines []string) ([]ssh.PublicKey, error) {
	var out []ssh.PublicKey
	for _, line := range lines {
		k, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// hostKeys are the bridge's own; one is made when none is configured.
func hostKeys(cfg *config.Config) ([]ssh.Signer, error) {
	paths := cfg.Bridge.HostKeys
	if len(paths) == 0 {
		if err := makeHostKey(cfg.BridgeHostKey()); err != nil {
			return nil, fmt.Errorf("the bridge's host key: %w", err)
		}
		paths = []string{cfg.BridgeHostKey()}
	}
	var out []ssh.Signer
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("bridge.host_keys: %w", err)
		}
		k, err := ssh.ParsePrivateKey(b)
		if err != nil {
			return nil, fmt.Errorf("bridge.host_keys: %s: %w", path, err)
		}
		out = append(out, k)
	}
	for _, path := range cfg.Bridge.HostCertificates {
		k, err := hostCertificate(path, out)
		if err != nil {
			return nil, fmt.Errorf("bridge.host_certificates: %s: %w", path, err)
		}
		out = append(out, k)
	}
	return out, nil
}

func hostCertificate(path string, keys []ssh.Signer) (ssh.Signer, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(b)
	if err != nil {
		return nil, err
	}
	cert, ok := pub.(*ssh.Certificate)
	if !ok || cert.CertType != ssh.HostCert {
		return nil, errors.New("it is no host certificate")
	}
	for _, k := range keys {
		if string(k.PublicKey().Marshal()) == string(cert.Key.Marshal()) {
			return ssh.NewCertSigner(cert, k)
		}
	}
	return nil, errors.New("it is of none of bridge.host_keys")
}

// makeHostKey makes an Ed25519 key where there is none.
func makeHostKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(priv, "dragoman bridge")
	if err != nil {
		return err
	}
	public, err := ssh.NewPublicKey(pub)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(public), 0o644); err != nil {
		return err
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// sshVerifier knows whose SSH keys and certificates are believed.
func sshVerifier(c config.SSHIdentities) (*sshkey.Verifier, error) {
	var keys []sshkey.Binding
	for _, k := range c.Keys {
		keys = append(keys, sshkey.Binding(k))
	}
	var cas []sshkey.Authority
	for _, a := range c.Authorities {
		cas = append(cas, sshkey.Authority(a))
	}
	v, err := sshkey.New(keys, cas, time.Now)
	if err != nil {
		return nil, fmt.Errorf("identity.ssh: %w", err)
	}
	return v, nil
}
