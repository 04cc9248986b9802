//go:build kube

package kubee2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"dragoman.dev/dragoman/internal/child"
)

// TestHabits: what else people do with kubectl works, or is refused in words that say so.
func TestHabits(t *testing.T) {
	token, dir := shared.token(t, "ops"), t.TempDir()
	for name, text := range map[string]string{
		"base/kustomization.yaml": "resources: [cm.yaml]\nnamePrefix: h-\ncommonLabels: {by: kustomize}\nsecretGenerator: [{name: gen, literals: [password=" + secretValue + "], options: {disableNameSuffixHash: true}}]\n",
		"base/cm.yaml":            "{apiVersion: v1, kind: ConfigMap, metadata: {name: kust}, data: {a: one}}\n",
		"changed.yaml":            "{apiVersion: v1, kind: ConfigMap, metadata: {name: h-kust, labels: {by: kustomize}}, data: {a: two}}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args, out, err string
		code           int
	}{
		{args: "kustomize DIR/base", out: "h-kust"},
		{args: "apply -k DIR/base", out: "configmap/h-kust created"},
		{args: "apply -k DIR/base", out: "secret/h-gen configured"}, // it cannot know that the secret is the same
		{args: "get -k DIR/base -o yaml", out: "W3JlZGFjdGVkXQ=="},
		{args: "diff -f DIR/changed.yaml", out: "+  a: two", code: 1},
		{args: "diff -k DIR/base", out: ""},
		{args: "apply --server-side --dry-run=server --force-conflicts -f DIR/changed.yaml", out: "serverside-applied (server dry run)"},
		{args: "apply --prune -l by=kustomize -f DIR/changed.yaml --prune-allowlist=core/v1/ConfigMap", out: "configmap/h-kust configured"},
		{args: "wait --for=condition=Ready pod/shell --timeout=60s", out: "condition met"},
		{args: "wait --for=delete pod/nonesuch --timeout=60s"},
		{args: "auth can-i --list", out: "selfsubjectrulesreviews.authorization.k8s.io"},
		{args: "auth can-i --list -n kube-system", out: "Resources"},
		{args: "auth can-i create pods/exec", out: "yes"},
		{args: "top pods", err: "Metrics API not available", code: 1},
		{args: "debug shell --image=docker.io/local/busybox:1 --image-pull-policy=Never -c dbg -- true", err: "more than ordinary rights", code: 1}, // it would have SYS_PTRACE
		{args: "debug shell --image=docker.io/local/busybox:1 --image-pull-policy=Never --profile=baseline -c dbg -- true"},
		{args: "debug node/localhost --image=docker.io/local/busybox:1 -- true", err: "dragoman", code: 1},
		{args: "cluster-info", out: "is running at"},
		{args: "events", out: "REASON"},
		{args: "get all -A", out: "pod/shell"},
		{args: "get pods --watch --request-timeout=2s", out: "shell"},
		{args: "get pods -o custom-columns=N:.metadata.name,I:.spec.containers[*].image", out: "shell"},
		{args: "logs shell --tail=1"},
		{args: "logs shell --all-containers --timestamps"},
		{args: "api-versions", out: "apps/v1"},
		{args: "version", out: "Server Version"},
		{args: "drain localhost --dry-run=server --ignore-daemonsets --force --disable-eviction", out: "drained (server dry run)"},
		{args: "delete -k DIR/base", out: "deleted"},
	} {
		cmd := shared.kubectl(t, token, strings.Fields(strings.ReplaceAll(c.args, "DIR", dir))...)
		o, e, code := output(t, cmd, "")
		if code != c.code || !strings.Contains(o, c.out) || !strings.Contains(e, c.err) {
			t.Errorf("kubectl %s: %d\n%.1500s\n%.1500s", c.args, code, o, e)
		}
		if strings.Contains(c.args, "kustomize") {
			continue // which asks nobody
		}
		if tells([]byte(o + e)) {
			t.Errorf("kubectl %s shows the secret: %s%s", c.args, o, e)
		}
	}
}

var servesOn = regexp.MustCompile(`Starting to serve on (127\.0\.0\.1:\d+)`)

// TestProxy: kubectl proxy is as any other client: its user's token, the same judgement, the same masks.
func TestProxy(t *testing.T) {
	seed(t)
	out := &said{}
	cmd := exec.Command(shared.cluster.Tools.Kubectl, "proxy", "--port=0")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.kubeconfig(t, shared.token(t, "ops")))
	cmd.Stdout, cmd.Stderr = out, out
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.End(syscall.SIGKILL, limit) })
	if err := shared.await(func() bool { return servesOn.MatchString(out.String()) }); err != nil {
		t.Fatal(err, out)
	}
	client := &http.Client{Timeout: limit}
	for path, want := range map[string]string{"/api/v1/namespaces/default/secrets/db": "W3JlZGFjdGVkXQ==", "/version": "gitVersion", "/api/v1/namespaces/default/pods/shell:80/proxy/": "dragoman"} {
		res, err := client.Get("http://" + servesOn.FindStringSubmatch(out.String())[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(body), want) || tells(body) {
			t.Errorf("%s: %s %.500s %v", path, res.Status, body, err)
		}
	}
}

// TestOldKubectl: kubectl 1.29, which knows SPDY only and asks for tables, objects and streams as it did then.
func TestOldKubectl(t *testing.T) {
	seed(t)
	old := *shared
	cluster := *shared.cluster
	cluster.Tools.Kubectl, old.cluster = cluster.Tools.OldKubectl, &cluster
	token := shared.token(t, "ops")
	if o, e, code := output(t, old.kubectl(t, token, "version", "--client"), ""); code != 0 || !strings.Contains(o, "v1.29.") {
		t.Fatal(o, e)
	}
	execs(t, &old, token, "")
	copies(t, &old, "")
	for _, args := range []string{"get pods -A", "get secret db -o yaml", "create configmap old-cm --from-literal=a=b", "label configmap old-cm x=y", "delete configmap old-cm", "explain pod.spec"} {
		if o, e, code := output(t, old.kubectl(t, token, strings.Fields(args)...), ""); code != 0 || tells([]byte(o+e)) {
			t.Errorf("kubectl %s: %d %s%s", args, code, o, e)
		}
	}
	f := old.at(shared.spdy).forward(t, token, "", "shell", ":9")
	talk(t, f.ports[0], "x") // nobody listens there: it ends
}
