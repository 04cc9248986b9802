package sshkey

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/identity"
)

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func line(s ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(s.PublicKey())) }

func TestIdentify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	bound, other, ca, evil := newKey(t), newKey(t), newKey(t), newKey(t)
	v, err := New([]Binding{{Key: line(bound), Subject: "agent:ci", OnBehalfOf: "user:alice", Groups: []string{"deploy"}}},
		[]Authority{{Key: line(ca), Principals: []string{"dev-*"}, Groups: []string{"dev"}}}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	p, err := v.Identify(bound.PublicKey().Marshal())
	if err != nil || p.Identity.Chain() != "user:alice>agent:ci" || !p.Identity.InGroup("deploy") || p.Identity.TokenID == "" {
		t.Fatalf("%+v %v", p, err)
	}
	if _, err := v.Identify(other.PublicKey().Marshal()); identity.ReasonOf(err) != identity.ReasonSignature {
		t.Errorf("an unknown key gives %v", err)
	}
	mint := func(signer ssh.Signer, change func(*ssh.Certificate)) []byte {
		c := &ssh.Certificate{Key: other.PublicKey(), CertType: ssh.UserCert, KeyId: "bob@example.com", ValidPrincipals: []string{"x", "dev-bob"},
			ValidAfter: uint64(now.Unix() - 60), ValidBefore: uint64(now.Unix() + 60)}
		if change != nil {
			change(c)
		}
		if err := c.SignCert(rand.Reader, signer); err != nil {
			t.Fatal(err)
		}
		return c.Marshal()
	}
	p, err = v.Identify(mint(ca, nil))
	if err != nil || p.Identity.Subject != "user:bob@example.com" || p.Identity.Expires.Unix() != now.Unix()+60 || p.Issued.Unix() != now.Unix()-60 {
		t.Fatalf("%+v %v", p, err)
	}
	tampered := mint(ca, nil)
	tampered[len(tampered)-1] ^= 1
	for name, c := range map[string][]byte{
		"another CA":      mint(evil, nil),
		"host":            mint(ca, func(c *ssh.Certificate) { c.CertType = ssh.HostCert }),
		"wrong principal": mint(ca, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"root"} }),
		"expired":         mint(ca, func(c *ssh.Certificate) { c.ValidBefore = uint64(now.Unix() - 1) }),
		"not yet":         mint(ca, func(c *ssh.Certificate) { c.ValidAfter = uint64(now.Unix() + 30) }),
		"forced command":  mint(ca, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "x"} }),
		"tampered":        tampered,
		"garbage":         []byte("garbage"),
	} {
		if p, err := v.Identify(c); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
