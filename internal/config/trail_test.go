package config

import (
	"crypto/ed25519"
	"strings"
	"testing"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// witnessKey is a verifier key of the kind cosignature/v1.
func witnessKey(t *testing.T) string {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey("witness.example.com", make([]byte, ed25519.PublicKeySize))
	if err != nil {
		t.Fatal(err)
	}
	vkey, err = fnote.VKeyToCosignatureV1(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

func TestTrail(t *testing.T) {
	c, err := Parse([]byte(minimal), "f.yaml")
	if err != nil || c.Trail.Log.Running.Std() != DefaultRunning {
		t.Fatal(err, c)
	}
	for log, want := range map[string]string{
		"origin: example.com/log, running: 1m": "",
		"origin: a b":                          "audit.log.origin",
		"running: 1ms":                         "at least 1s",
		"witnesses: [{url: https://w.example.com/x, key: nonsense}]":                                        "audit.log.witnesses[0].key",
		"witnesses: [{url: https://w.example.com/x, key: " + witnessKey(t) + "}]":                           "",
		"witnesses: [{url: https://w.example.com/x, key: " + witnessKey(t) + ", name: else}]":               "not the name in the key",
		"witnesses: [{url: http://w.example.com/x, key: " + witnessKey(t) + ", name: witness.example.com}]": "https",
	} {
		_, err := Parse([]byte(minimal+"audit: {log: {"+log+"}}\n"), "f.yaml")
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.Contains(got, want) {
				t.Errorf("%s: %s", log, got)
			}
		} else if want != "" {
			t.Errorf("%s: accepted", log)
		}
	}
}
