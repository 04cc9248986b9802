package ssh

import (
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// kexInit is a client's first packet with these ciphers, in front of which it says who it is.
func kexInit(version string, ciphers ...string) []byte {
	p := ssh.Marshal(&msgKexInit{Kex: []string{"curve25519-sha256"}, HostKey: []string{"ssh-ed25519"}, CiphersCS: ciphers, CiphersSC: ciphers,
		MACsCS: []string{"hmac-sha2-256"}, MACsSC: []string{"hmac-sha2-256"}, CompCS: []string{"none"}, CompSC: []string{"none"}})
	n := len(p) + 5
	b := append([]byte(version), byte(n>>24), byte(n>>16), byte(n>>8), byte(n), 4)
	return append(append(b, p...), 0, 0, 0, 0)
}

// TestHello: a client that can do what processors have instructions for is offered that only, any other one everything; what
// was read ahead is not lost, and our own line is said once.
func TestHello(t *testing.T) {
	_, all, _ := algorithms()
	fast := fastCiphers(all)
	if len(fast) == 0 {
		fast = all // not on this processor
	}
	for _, c := range []struct {
		name string
		sent []byte
		want []string
	}{
		{"both", kexInit("SSH-2.0-x\r\n", ssh.CipherChaCha20Poly1305, ssh.CipherAES256GCM), fast},
		{"slow only", kexInit("SSH-2.0-x\r\n", ssh.CipherChaCha20Poly1305), all},
		{"lines in front", kexInit("hello\r\nSSH-2.0-x\n", ssh.CipherAES128GCM), fast},
		{"nothing of its own accord", []byte("SSH-2.0-x\r\n"), all},
		{"no SSH", []byte("GET / HTTP/1.1\r\n\r\n"), all},
		{"a length that is none", append([]byte("SSH-2.0-x\r\n"), 255, 255, 255, 255, 0), all},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer ours.Close()
			defer theirs.Close()
			got := make(chan []byte, 1)
			go func() {
				line := make([]byte, len(serverVersion)+2)
				_, _ = io.ReadFull(theirs, line)
				_, _ = theirs.Write(c.sent)
				rest := make([]byte, 4)
				_, _ = io.ReadFull(theirs, rest)
				got <- append(line, rest...)
			}()
			conn, ciphers, err := hello(ours, time.Now().Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(ciphers, c.want) {
				t.Errorf("offered %v", ciphers)
			}
			again := make([]byte, len(c.sent))
			if _, err := io.ReadFull(conn, again); err != nil || string(again) != string(c.sent) {
				t.Errorf("%q %v", again, err)
			}
			if _, err := conn.Write([]byte(serverVersion + "\r\n")); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte("next")); err != nil {
				t.Fatal(err)
			}
			if s := string(<-got); s != serverVersion+"\r\nnext" {
				t.Errorf("said %q", s)
			}
		})
	}
}

func FuzzHello(f *testing.F) {
	f.Add(kexInit("SSH-2.0-x\r\n", ssh.CipherAES128GCM))
	f.Add([]byte("SSH-2.0-x\r\n\x00\x00\x00\x02\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, ok := parseHello(b); ok {
			if _, _, whole := helloPacket(b); !whole {
				t.Error("parsed, though it is not whole")
			}
		}
	})
}
