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

func TestSinks(t *testing.T) {
	c, err := Parse([]byte(minimal+"audit:\n  webhooks: [{name: siem, url: https://siem.example.com/x, secret: file:s, format: ocsf}]\n  otlp: {endpoint: otel.example.com:4317, headers: {authorization: file:t}}\n"), "/etc/d/f.yaml")
	if err != nil || c.Trail.OTLP.Headers["authorization"] != "file:/etc/d/t" || !*c.Trail.OTLP.Traces || c.Trail.Outbox != DefaultOutbox {
		t.Fatal(err, c)
	}
	for audit, want := range map[string]string{
		"webhooks: [{name: a, url: http://siem.example.com/x, secret: env:S}]":                             "https",
		"webhooks: [{name: a, url: http://127.0.0.1:1/x, secret: plain}]":                                  "audit.webhooks[0].secret",
		"webhooks: [{name: a, url: https://x/, secret: env:S, format: xml}]":                               "not one of dragoman, ocsf",
		"webhooks: [{name: a, url: https://x/, secret: env:S}, {name: a, url: https://x/, secret: env:S}]": "another webhook",
		"otlp: {endpoint: otel.example.com:4317, insecure: true}":                                          "only for a collector on loopback",
		"otlp: {endpoint: otel.example.com}":                                                               "audit.otlp.endpoint",
		"otlp: {endpoint: 127.0.0.1:4317, headers: {authorization: Bearer abc}}":                           "audit.otlp.headers.authorization",
		"outbox: 1KB": "audit.outbox",
	} {
		if _, err := Parse([]byte(minimal+"audit: {"+audit+"}\n"), "f.yaml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", audit, err)
		}
	}
}

func TestEncryption(t *testing.T) {
	c, err := Parse([]byte(minimal), "f.yaml")
	if err != nil || c.Trail.Encryption.Off || !strings.HasSuffix(c.Trail.Encryption.Key, "/keys/bodies.kek") || c.Trail.Retention != 0 {
		t.Fatalf("%+v %v", c.Trail, err)
	}
	for text, want := range map[string]string{
		"encryption: {off: true}": "",
		"encryption: {key: \"file:k\", old: [\"file:/o\", \"awskms://alias/x?region=eu-west-1\"]}": "",
		"encryption: {key: \"hashivault://records\"}":                                              "",
		"encryption: {key: nonsense}":                                                              "audit.encryption.key",
		"encryption: {key: \"file:\"}":                                                             "audit.encryption.key",
		"encryption: {key: \"base64key://AAAA\"}":                                                  "audit.encryption.key",
		"encryption: {old: [\"file:keys/x\", \"file:keys/x\"]}":                                    "listed twice",
		"retention: 90d":    "",
		"retention: -1d":    "duration",
		"retention: 1.5d":   "duration",
		"retention: 99999d": "duration",
	} {
		_, err := Parse([]byte(minimal+"audit: {"+text+"}\n"), "f.yaml")
		if got := ""; err != nil {
			got = err.Error()
			if want == "" || !strings.Contains(got, want) {
				t.Errorf("%s: %s", text, got)
			}
		} else if want != "" {
			t.Errorf("%s: accepted", text)
		}
	}
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
