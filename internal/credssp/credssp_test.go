package credssp

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"
)

// The example of MS-NLMP 4.2.4.1.1.
func TestResponseKey(t *testing.T) {
	if got := hex.EncodeToString(responseKey(Credentials{Domain: "Domain", User: "User", Password: "Password"})); got != "0c868a403bfd7a93a3001ef22ef02e3f" {
		t.Error(got)
	}
}

func TestRequests(t *testing.T) {
	for _, r := range []tsRequest{{version: 6, token: []byte("token")}, {version: 2, authInfo: []byte("a"), publicKey: bytes.Repeat([]byte("k"), 300)},
		{version: 6, token: []byte{}, nonce: bytes.Repeat([]byte("n"), 32)}} {
		got, err := parseRequest(r.encode())
		if err != nil || got.version != r.version || !bytes.Equal(got.token, r.token) || !bytes.Equal(got.publicKey, r.publicKey) || !bytes.Equal(got.nonce, r.nonce) {
			t.Errorf("%+v %v, want %+v", got, err, r)
		}
	}
}

// Both directions of a sealed exchange, and that a changed message is found.
func TestSealing(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 16)
	var client, server ntlm
	if client.keys(key) != nil || server.keys(key) != nil {
		t.Fatal("keys")
	}
	server.sign, server.verify, server.seal, server.unseal = client.verify, server.sign, server.unseal, server.seal
	for _, message := range []string{"one", "", "three"} {
		got, err := server.unwrap(client.wrap([]byte(message)))
		if err != nil || string(got) != message {
			t.Fatalf("%q %v", got, err)
		}
	}
	bad := client.wrap([]byte("four"))
	bad[len(bad)-1] ^= 1
	if _, err := server.unwrap(bad); err == nil {
		t.Error("a changed message passes")
	}
}

func FuzzServer(f *testing.F) {
	f.Add(tsRequest{version: 6, token: []byte("NTLMSSP\x00\x02\x00\x00\x00")}.encode())
	f.Add(append([]byte("NTLMSSP\x00\x02\x00\x00\x00"), make([]byte, 60)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRequest(b); err == nil {
			again, err := parseRequest(r.encode())
			if err != nil || again.version != r.version && r.version < 256 || !reflect.DeepEqual(again.nonce, r.nonce) {
				t.Fatalf("%+v %+v %v", r, again, err)
			}
		}
		_, _ = parseChallenge(b)
		n := ntlm{random: bytes.NewReader(make([]byte, 64))}
		n.first()
		_, _ = n.answer(b)
	})
}
