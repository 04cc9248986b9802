//go:build kube

package kubee2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// secretValue is what no client and no record may see.
const secretValue = "correct-horse-battery"

// seed makes a secret and a deployment with it in a variable, past the gateway.
func seed(t *testing.T) {
	t.Helper()
	path := t.TempDir() + "/seed.yaml"
	doc := fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: db, namespace: default}
stringData: {password: %[1]s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: default}
spec:
  replicas: 0
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: c, image: docker.io/local/busybox:1, env: [{name: PASSWORD, value: %[1]s}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: quoted, namespace: default}
spec: {nodeSelector: {none: such}, containers: [{name: c, image: docker.io/local/busybox:1, env: [{name: PASSWORD, value: %[1]s}]}]}
`, secretValue)
	if err := os.WriteFile(path, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := shared.cluster.Kubectl(context.Background(), "apply", "-f", path); err != nil {
		t.Fatal(err, string(out))
	}
}

// TestAPI: kubectl through Envoy: judged, masked in every form, recorded; refusals as it prints them.
func TestAPI(t *testing.T) {
	seed(t)
	token := shared.token(t, "ops")
	encoded := base64.StdEncoding.EncodeToString([]byte(secretValue))
	for _, c := range []struct {
		args, out, err string
		bad            bool
	}{
		{args: "get pods", out: "shell"},
		{args: "get pods -A -o wide", out: "shell"},
		{args: "get secret db", out: "db"},
		{args: "get secret db -o json", out: `"password": "W3JlZGFjdGVkXQ=="`},
		{args: "get secrets -A -o yaml", out: "password: W3JlZGFjdGVkXQ=="},
		{args: "get secret db -o yaml --show-managed-fields", out: "password: W3JlZGFjdGVkXQ=="},
		{args: "get deployment shop -o json", out: `"value": "[redacted]"`},
		{args: "get deployments -o yaml", out: "value: '[redacted]'"},
		{args: "get --raw /api/v1/namespaces/default/secrets?watch=1&timeoutSeconds=1&resourceVersion=0", out: `"password":"W3JlZGFjdGVkXQ=="`},
		{args: "get --raw /api/v1/watch/namespaces/default/secrets/db?timeoutSeconds=1&resourceVersion=0", out: `"password":"W3JlZGFjdGVkXQ=="`},
		{args: "api-resources", out: "deployments"},
		{args: "auth can-i get pods", out: "yes"},
		{args: "scale deployment shop --replicas=0", out: "scaled"},
		{args: "create configmap through --from-literal=a=b --dry-run=server", out: "created"}, // it sends protobuf
		{args: "get pods --as root", bad: true, err: "Whom a request acts as"},
		{args: "get --raw /api/v1/nodes/localhost/proxy/pods", bad: true, err: "dragoman"},
		{args: "create token default", bad: true, err: "dragoman"},
		{args: "create clusterrolebinding x --clusterrole=cluster-admin --user=agent:ci-bot", bad: true, err: "dragoman"},
		{args: `run evil --image=docker.io/local/busybox:1 --overrides={"spec":{"hostPID":true}}`, bad: true, err: "(rule default)"},
		{args: `patch secret db --type=json -p=[{"op":"copy","from":"/data/password","path":"/metadata/annotations/x"}]`, bad: true, err: "copies, moves or tests"},
		{args: `patch secret db --type=json -p=[{"op":"test","path":"/data/password","value":"eA=="}]`, bad: true, err: "copies, moves or tests"},
		{args: `patch deployment shop -p={"spec":{"template":{"spec":{"containers":[{"name":"c","env":[{"name":"PASSWORD","value":"[redacted]"}]}]}}}}`, bad: true, err: "what its mask leaves"},
		{args: `patch pod quoted -p={"spec":{"containers":[{"name":"c","env":[{"name":"PASSWORD","value":"another"}]}]}}`, bad: true, err: "cannot be changed"},
		{args: `patch pod quoted -p={"spec":{"containers":[{"name":"c","env":[{"name":"OTHER","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}]}}`, bad: true, err: "[redacted]"}, // the answer quotes the old one
		{args: `patch service kubernetes -p={"spec":{"clusterIP":"10.0.0.300"}}`, bad: true, err: "10.0.0.300"},
	} {
		t.Run(c.args, func(t *testing.T) {
			o, e, code := output(t, shared.kubectl(t, token, strings.Fields(c.args)...), "")
			if (code != 0) != c.bad || !strings.Contains(o, c.out) || !strings.Contains(e, c.err) {
				t.Errorf("code %d\nstdout %q\nstderr %q", code, o, e)
			}
			if all := o + e; strings.Contains(all, secretValue) || strings.Contains(all, encoded) {
				t.Errorf("the secret is seen: %s", all)
			}
		})
	}
	if _, e, code := output(t, shared.kubectl(t, shared.token(t, "nobody"), "get", "pods"), ""); code == 0 || !strings.Contains(e, "dragoman") {
		t.Errorf("without a group: %d %s", code, e)
	}
	apply(t, token)
}

// apply: what kubectl applies twice, by its own patch and by the server's, works in spite of the masks.
func apply(t *testing.T, token string) {
	doc := `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"own","namespace":"default"},"spec":{"replicas":0,"selector":{"matchLabels":{"app":"own"}},` +
		`"template":{"metadata":{"labels":{"app":"own"}},"spec":{"containers":[{"name":"c","image":"docker.io/local/busybox:1","env":[{"name":"A","value":"one"}]}]}}}}`
	for i, args := range [][]string{{"apply", "-f", "-"}, {"apply", "-f", "-"}, {"apply", "--server-side", "--force-conflicts", "-f", "-"}} {
		in := strings.Replace(doc, `"one"`, fmt.Sprintf(`"value-%d"`, i), 1)
		if o, e, code := output(t, shared.kubectl(t, token, args...), in); code != 0 {
			t.Errorf("%v: %d %s %s", args, code, o, e)
		}
		out, err := shared.cluster.Kubectl(context.Background(), "get", "deployment", "own", "-o", "json")
		if want := fmt.Sprintf("value-%d", i); err != nil || !bytes.Contains(out, []byte(want)) {
			t.Errorf("%v: %s is not there: %v %s", args, want, err, out)
		}
	}
}

// TestAPIAttacks sends each request of testdata/api_attacks.txt: none of it passes, and none shows the secret.
func TestAPIAttacks(t *testing.T) {
	seed(t)
	n := corpus(t, "testdata/api_attacks.txt", func(line string, res *http.Response, answer []byte) {
		if res.StatusCode < 400 || res.StatusCode >= 500 || res.StatusCode == http.StatusNotFound { // which would be the target's
			t.Errorf("%s: %d %.300s", line, res.StatusCode, answer)
		}
	})
	if n < 120 {
		t.Errorf("%d attacks", n)
	}
}

// TestAPILeaks sends each request of testdata/api_leaks.txt, most of which pass: none shows the secret, and whoever asks is who it is.
func TestAPILeaks(t *testing.T) {
	seed(t)
	passed := 0
	n := corpus(t, "testdata/api_leaks.txt", func(line string, res *http.Response, answer []byte) {
		if res.StatusCode < 300 {
			passed++
		}
		if strings.Contains(line, "selfsubjectreviews") && res.StatusCode < 300 && !bytes.Contains(answer, []byte(`"username":"agent:ci-bot"`)) {
			t.Errorf("%s: %d %s", line, res.StatusCode, answer)
		}
	})
	if n < 50 || passed < 40 {
		t.Errorf("%d of %d passed", passed, n)
	}
}

// corpus sends each request of a file and gives judge the answer, in which the secret never is.
func corpus(t *testing.T, file string, judge func(line string, res *http.Response, answer []byte)) (n int) {
	t.Helper()
	token := shared.token(t, "ops")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableCompression: true}, Timeout: limit}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		parts := strings.SplitN(line, " | ", 3)
		method, target, _ := strings.Cut(parts[0], " ")
		body, header := "", ""
		if len(parts) > 1 {
			header = parts[1]
		}
		if len(parts) > 2 {
			body = parts[2]
		}
		req, err := http.NewRequest(method, fmt.Sprintf("https://127.0.0.1:%d/", shared.port), strings.NewReader(body))
		if err != nil {
			t.Fatal(line, err)
		}
		req.URL.Opaque = fmt.Sprintf("//127.0.0.1:%d%s", shared.port, target)
		req.Header.Set("Authorization", "Bearer "+token)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		if name, value, ok := strings.Cut(header, ": "); ok {
			req.Header[http.CanonicalHeaderKey(name)] = []string{value}
		}
		res, err := client.Do(req)
		if err != nil {
			t.Error(line, err)
			continue
		}
		answer, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
		res.Body.Close()
		if err != nil || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v, encoded as %q", line, err, res.Header.Get("Content-Encoding"))
		}
		judge(line, res, answer)
		if tells(answer) {
			t.Errorf("%s shows the secret: %.600s", line, answer)
		}
	}
	return n
}

// tells reports whether bytes have the secret as text or as base64, also of what it is a part of.
func tells(b []byte) bool {
	if bytes.Contains(b, []byte(secretValue)) {
		return true
	}
	for shift := range 3 { // the middle, which is the same whatever is around it
		e := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secretValue))
		if bytes.Contains(b, []byte(e[4:len(e)-4])) {
			return true
		}
	}
	return false
}
