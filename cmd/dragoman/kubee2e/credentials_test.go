//go:build kube

package kubee2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/record"
)

var webToken = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{20,}`)

const clear = "off: [kube-tokens, kube-secrets]\n"

// TestCredentials: what the cluster gives to log in with, and what secrets are made of, is in no record: by default the agent does not
// see it either; where policy lets it, it sees it in clear, and the record has keyed hashes.
func TestCredentials(t *testing.T) {
	token := shared.token(t, "ops", "minters")
	run := func(stdin string, args ...string) string {
		t.Helper()
		out, errs, code := output(t, shared.kubectl(t, token, args...), stdin)
		if code != 0 {
			t.Fatalf("kubectl %v: %s%s", args, out, errs)
		}
		return out
	}
	var known []string
	masked := func() {
		if out := run("", "create", "token", "gateway"); strings.TrimSpace(out) != "[redacted]" {
			t.Errorf("a token is seen: %q", out)
		}
		known = append(known, secrets(t, run, "masked")...)
	}
	seen := func() {
		shared.rewrite(t, clear+rules, func() bool { return webToken.MatchString(run("", "create", "token", "gateway")) })
		defer shared.rewrite(t, rules, func() bool { return !webToken.MatchString(run("", "create", "token", "gateway")) })
		made := webToken.FindString(run("", "create", "token", "gateway"))
		review := `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"` + made + `"}}`
		if out := run(review, "create", "-f", "-", "-o", "json"); !strings.Contains(out, "system:serviceaccount:default:gateway") {
			t.Errorf("the token is not good: %s", out)
		}
		known = append(append(known, made, made[strings.LastIndexByte(made, '.')+1:]), secrets(t, run, "seen")...)
		value := known[len(known)-1]
		if out := run("", "get", "secret", "seen", "-o", "jsonpath={.data.password}"); out != base64.StdEncoding.EncodeToString([]byte(value)) {
			t.Errorf("it is not seen: %q", out)
		}
		out := run("", "get", "--raw", "/api/v1/namespaces/default/secrets?watch=1&timeoutSeconds=1&resourceVersion=0")
		if !strings.Contains(out, base64.StdEncoding.EncodeToString([]byte(value))) {
			t.Errorf("a watch does not show it: %s", out)
		}
		_, errs, code := output(t, shared.kubectl(t, token, "patch", "secret", "seen", "-p", `{"type":"another"}`), "")
		if code == 0 {
			t.Errorf("the type of a secret was changed: %s", errs)
		}
	}
	masked()
	seen()
	shared.Must(t, "token", "revoke", tokenID(t, token)) // which seals the record
	all, missing := "", ""
	err := shared.await(func() bool {
		all, missing = payloads(t), ""
		for _, want := range []string{`"verbs":["watch"]`, `"type":"another"`, `"token":"hmac_`, `"password":"hmac_`, `"token-secret":"hmac_`, "TokenReview"} {
			if !strings.Contains(all, want) {
				missing += want + " "
			}
		}
		return missing == ""
	})
	if err != nil {
		t.Errorf("the record has no %s", missing)
	}
	for _, k := range known {
		if strings.Contains(all, k) || strings.Contains(all, base64.StdEncoding.EncodeToString([]byte(k))) {
			t.Errorf("the record has %s", k)
		}
	}
	if m := webToken.FindString(all); m != "" { // also of requests' heads
		t.Errorf("the record has %.40s…", m)
	}
}

// secrets are made, read and deleted in all the ways that clients send them; what they are made of is told.
func secrets(t *testing.T, run func(string, ...string) string, name string) (known []string) {
	t.Helper()
	value := func(way string) string {
		known = append(known, fmt.Sprintf("%s-%s-canary-%d", name, way, os.Getpid()))
		return known[len(known)-1]
	}
	t.Cleanup(func() {
		_, _ = shared.cluster.Kubectl(context.Background(), "-n", "kube-system", "delete", "secret", "bootstrap-token-abc"+name[:3], "--ignore-not-found")
		_, _ = shared.cluster.Kubectl(context.Background(), "delete", "secret", name, name+"-pb", "--ignore-not-found")
	})
	run("", "create", "secret", "generic", name+"-pb", "--from-literal=password="+value("protobuf"))
	run(fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"bootstrap-token-abc%s","namespace":"kube-system"},"type":"bootstrap.kubernetes.io/token","stringData":{"token-id":"abc%[1]s","token-secret":"%s"}}`,
		name[:3], value("bootstrap")), "create", "-f", "-")
	run("", "-n", "kube-system", "get", "secret", "bootstrap-token-abc"+name[:3], "-o", "yaml")
	manifest := func(way string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"%s"},"stringData":{"password":"%s"}}`, name, value(way))
	}
	run(manifest("apply"), "apply", "-f", "-")
	run(manifest("again"), "apply", "-f", "-")
	run(manifest("server"), "apply", "--server-side", "--force-conflicts", "-f", "-")
	run("", "patch", "secret", name, "-p", `{"stringData":{"password":"`+value("strategic")+`"}}`)
	run("", "patch", "secret", name, "--type=json", "-p", `[{"op":"replace","path":"/data/password","value":"`+base64.StdEncoding.EncodeToString([]byte(value("json")))+`"}]`)
	return known
}

// rewrite puts other rules in force.
func (r *rig) rewrite(t *testing.T, text string, inForce func() bool) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.Dir, "policy", "rules.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.await(inForce); err != nil {
		t.Fatal(err)
	}
}

// payloads are those of all frames that are kept.
func payloads(t *testing.T) string {
	t.Helper()
	var all bytes.Buffer
	frames(t, filepath.Join(shared.Dir, "data"), func(f *record.Frame) {
		if slices.Contains([]record.Kind{record.KindAction, record.KindRequest, record.KindResponse, record.KindResult}, f.Kind) {
			all.Write(f.Payload)
			all.WriteByte('\n')
		}
	})
	return all.String()
}
