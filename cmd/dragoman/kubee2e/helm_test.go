//go:build kube

package kubee2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestHelm: a chart with a secret is installed, listed, upgraded, rolled back and uninstalled, with masks in force. Helm keeps what it
// knows of releases in config maps here, as those of secrets would be masked.
func TestHelm(t *testing.T) {
	chart := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"values.yaml": "colour: red\npassword: helm-canary\n",
		"templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {colour: {{ .Values.colour }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.password }}}
`} {
		path := filepath.Join(chart, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig, home := shared.kubeconfig(t, shared.token(t, "ops")), t.TempDir()
	helm := func(want string, args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, shared.cluster.Tools.Helm, args...)
		cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HELM_DRIVER=configmap", "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
		out, errs, code := output(t, cmd, "")
		if code != 0 || !strings.Contains(out, want) {
			t.Fatalf("helm %s: %d, no %q in %s%s", strings.Join(args, " "), code, want, out, errs)
		}
	}
	at := func(colour, password string) {
		t.Helper()
		for _, c := range []struct{ want, kind, path string }{{colour, "configmap", "{.data.colour}"}, {password, "secret", "{.data.password}"}} {
			out, err := shared.cluster.Kubectl(context.Background(), "get", c.kind, "helmed", "-o", "jsonpath="+c.path)
			if err != nil || strings.TrimSpace(string(out)) != c.want {
				t.Errorf("%s: %s %v, want %s", c.kind, out, err, c.want)
			}
		}
	}
	const first, second = "aGVsbS1jYW5hcnk=", "YW5vdGhlci1jYW5hcnk="
	helm("STATUS: deployed", "install", "helmed", chart)
	at("red", first)
	helm("helmed", "list")
	helm("REVISION: 2", "upgrade", "helmed", chart, "--set", "colour=blue")
	at("blue", first) // what was read masked is not written back
	helm("REVISION: 3", "upgrade", "helmed", chart, "--set", "password=another-canary")
	at("red", second)
	helm("success", "rollback", "helmed", "2")
	at("blue", first)
	helm("superseded", "history", "helmed")
	helm("uninstalled", "uninstall", "helmed")
}
