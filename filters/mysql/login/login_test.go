package login

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"testing"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// TestEd25519 has the example of MariaDB's own tests of the plugin: password "foobar", 32 bytes of "01234567890123456789012345678901".
func TestEd25519(t *testing.T) {
	nonce := []byte{232, 1, 92, 13, 100, 7, 157, 199, 27, 48, 1, 64, 93, 203, 82, 134, 152, 147, 236, 124, 120, 51, 151, 149, 34, 188, 147, 202, 110, 35, 202, 140}
	got, err := ed25519("foobar", nonce)
	if err != nil || len(got) != 64 {
		t.Fatal(err)
	}
	again, _ := ed25519("foobar", nonce)
	if !bytes.Equal(got, again) {
		t.Error("not deterministic")
	}
}

// TestNative: the server has SHA1(SHA1(password)) and finds SHA1(password) of the answer.
func TestNative(t *testing.T) {
	nonce := bytes.Repeat([]byte{'n'}, wire.NonceLen)
	answer := native("secret", nonce)
	one := sha1.Sum([]byte("secret"))
	two := sha1.Sum(one[:])
	h := sha1.Sum(append(append([]byte(nil), nonce...), two[:]...))
	if hex.EncodeToString(xor(h[:], answer)) != hex.EncodeToString(one[:]) {
		t.Error("wrong answer")
	}
	if native("", nonce) != nil || sha2("", nonce) != nil {
		t.Error("no password is no answer")
	}
}

// TestNothingReadable: without TLS, and to another machine, nothing is sent from which the password could be read.
func TestNothingReadable(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKIXPublicKey(&key.PublicKey)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	nonce := bytes.Repeat([]byte{'n'}, wire.NonceLen)
	for _, steps := range [][][]byte{
		{wire.AppendAuthSwitch(nil, wire.PluginClear, nil)},
		{wire.AppendAuthSwitch(nil, wire.PluginSHA256, nonce)},
		{wire.AppendAuthSwitch(nil, wire.PluginSHA2, nonce), {wire.HeadMoreAuth, sha2Full}},
		{append([]byte{wire.HeadMoreAuth}, public...)},
		{wire.AppendAuthSwitch(nil, "dialog", nonce)},
		{{wire.HeadEOF}},
	} {
		c := New(Options{Password: "secret"}, &wire.Greeting{Nonce: nonce, Plugin: wire.PluginSHA2})
		if _, _, err := c.First(); err != nil {
			t.Fatal(err)
		}
		var last error
		for _, s := range steps {
			var out []byte
			out, last = c.Handle(s)
			if bytes.Contains(out, []byte("secret")) {
				t.Errorf("%q was answered with the password", s)
			}
		}
		if !errors.Is(last, ErrMethod) {
			t.Errorf("%q: %v", steps, last)
		}
	}
	// On this machine the server's key is used.
	c := New(Options{Password: "secret", Local: true}, &wire.Greeting{Nonce: nonce, Plugin: wire.PluginSHA2})
	c.First()
	if ask, err := c.Handle([]byte{wire.HeadMoreAuth, sha2Full}); err != nil || len(ask) != 1 || ask[0] != sha2AskKey {
		t.Errorf("%v %v", ask, err)
	}
	out, err := c.Handle(append([]byte{wire.HeadMoreAuth}, public...))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := rsa.DecryptOAEP(sha1.New(), nil, key, out, nil)
	if err != nil || plain[0]^'n' != 's' {
		t.Errorf("%q %v", plain, err)
	}
}

// FuzzHandle: whatever a server says at login, nothing panics and the password is not in the answer.
func FuzzHandle(f *testing.F) {
	f.Add([]byte{1, 4}, []byte{1, 3})
	f.Add(wire.AppendAuthSwitch(nil, wire.PluginEd25519, make([]byte, 32)), []byte{0xfe})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		c := New(Options{Password: "a long secret password"}, &wire.Greeting{Nonce: make([]byte, wire.NonceLen), Plugin: wire.PluginSHA2})
		_, _, _ = c.First()
		for _, m := range [][]byte{a, b, a} {
			if out, err := c.Handle(m); err == nil && bytes.Contains(out, []byte("secret")) {
				t.Fatal("the password was sent")
			}
		}
	})
}
