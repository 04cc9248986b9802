package login

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"
	"testing"
)

func TestKeys(t *testing.T) {
	var k Keys
	for round := range 2 {
		for i := range 3 {
			for _, password := range []string{"secret", "other"} {
				salt, count := fmt.Appendf(nil, "salt%d", i), 1000+i
				want, err := pbkdf2.Key(sha256.New, password, salt, count, sha256.Size)
				if err != nil {
					t.Fatal(err)
				}
				got, err := k.salted(password, salt, count)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("round %d: %x, %v; want %x", round, got, err, want)
				}
				for _, held := range k.m {
					if bytes.Equal(held[:], want) {
						t.Fatal("a key is held in the clear")
					}
				}
			}
		}
		if len(k.m) != 6 {
			t.Fatal(len(k.m), "entries")
		}
	}
	for i := range 2 * maxKeys {
		if _, err := k.salted("secret", fmt.Append(nil, i), 1); err != nil || len(k.m) > maxKeys {
			t.Fatal(len(k.m), err)
		}
	}
	if _, err := (*Keys)(nil).salted("secret", []byte("s"), 1); err != nil {
		t.Fatal(err)
	}
}
