package mask

import (
	"math/rand/v2"
	"testing"
)

// TestPlainEmail: the short way sees what the detectors see.
func TestPlainEmail(t *testing.T) {
	const alphabet = "abzAZ019._-+@@.eyJ"
	words := []string{"AKIA", "password", "sk_live_", "eyJhbGciOiJub25lIn0.e30.x", "4111111111111111", "DE89370400440532013000", "-----BEGIN", "+4930123456"}
	rnd := rand.New(rand.NewPCG(1, 2))
	plain := 0
	for range 200_000 {
		var v []byte
		for range 1 + rnd.IntN(12) {
			if rnd.IntN(8) == 0 {
				v = append(v, words[rnd.IntN(len(words))]...)
			}
			v = append(v, alphabet[rnd.IntN(len(alphabet))])
		}
		if !plainEmail(v) {
			continue
		}
		plain++
		if d, ok := lookForShape(v); !ok || d != detEmail {
			t.Fatalf("%q: %v, %v", v, d, ok)
		}
	}
	if plain < 1000 {
		t.Fatal("only", plain, "plain ones")
	}
}
