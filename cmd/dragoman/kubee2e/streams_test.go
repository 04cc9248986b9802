//go:build kube

package kubee2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCopy: kubectl cp both ways, and a large input and output, byte for byte.
func TestCopy(t *testing.T) {
	t.Run("over WebSocket", func(t *testing.T) { copies(t, shared, "") })
	t.Run("over SPDY", func(t *testing.T) { copies(t, shared.at(shared.spdy), overSPDY) })
}

func copies(t *testing.T, r *rig, env string) {
	token, dir := shared.token(t, "ops"), t.TempDir()
	content := make([]byte, 50<<20)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(content)
	for i := range content { // no address, which would be masked
		if content[i] == '@' {
			content[i] = 'a'
		}
	}
	path := filepath.Join(dir, "up")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(content))
	cmd := r.kubectl(t, token, "exec", "-i", "shell", "--", "sha256sum")
	cmd.Env = append(cmd.Env, env)
	cmd.Stdin = bytes.NewReader(content)
	if o, e, code := output(t, cmd, ""); code != 0 || !strings.HasPrefix(o, want) {
		t.Errorf("50 MiB of stdin: %q %s %d", o, e, code)
	}
	small := filepath.Join(dir, "small")
	if err := os.WriteFile(small, content[:3<<20], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"cp", small, "shell:/tmp/there"}, {"cp", "shell:/tmp/there", filepath.Join(dir, "back")}} {
		cmd := r.kubectl(t, token, args...)
		cmd.Env = append(cmd.Env, env)
		if o, e, code := output(t, cmd, ""); code != 0 {
			t.Fatalf("%v: %s %s", args, o, e)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || !bytes.Equal(got, content[:3<<20]) {
		t.Errorf("%d bytes came back: %v", len(got), err)
	}
}

// terminal runs kubectl within a terminal of script(1). Of talk, each first is awaited before its second is typed.
func (r *rig) terminal(t *testing.T, token, env string, talk [][2]string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	line := "stty rows 30 cols 100; " + r.cluster.Tools.Kubectl + " exec -it " + strings.Join(args, " ")
	cmd := exec.CommandContext(ctx, "script", "-qec", line, "/dev/null")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+r.kubeconfig(t, token), "TERM=xterm", "SHELL=/bin/sh", env)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []byte
	buf := make([]byte, 4096)
	seen := 0
	for {
		n, err := out.Read(buf)
		all = append(all, buf[:n]...)
		for len(talk) > 0 {
			i := bytes.Index(all[seen:], []byte(talk[0][0]))
			if i < 0 {
				break
			}
			seen += i + len(talk[0][0])
			io.WriteString(in, talk[0][1])
			talk = talk[1:]
		}
		if err != nil {
			break
		}
	}
	cmd.Wait()
	return string(all)
}

// TestTerminal: an interactive shell with a terminal's size, whose lines are judged, and which is replayed.
func TestTerminal(t *testing.T) {
	out := shared.terminal(t, shared.token(t, "ops"), "", [][2]string{{"# ", "stty size\r"}, {"30 100", "rm -rf /tmp/no\r"},
		{"nothing is removed here", "echo still$((1+1))\r"}, {"still2", "exit 3\r"}}, "shell", "--", "sh")
	for _, want := range []string{"30 100", "nothing is removed here", "still2", "exit code 3"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
	id := shared.last(t, "interactive shell")
	replay := shared.Must(t, "sessions", "replay", "--format", "terminal", id)
	if !strings.Contains(replay, "30 100") || !strings.Contains(replay, "still2") {
		t.Errorf("the replay shows %q", replay)
	}
	cast := shared.Must(t, "sessions", "export", "--format", "asciicast", id)
	if !strings.Contains(cast, `"r","100x30"`) || !strings.Contains(cast, "still2") {
		t.Errorf("the asciicast is %q", cast)
	}
}

// TestTerminalSPDY: the same over SPDY on both sides.
func TestTerminalSPDY(t *testing.T) {
	out := shared.at(shared.spdy).terminal(t, shared.token(t, "ops"), overSPDY, [][2]string{{"# ", "stty size\r"}, {"30 100", "rm -rf /tmp/no\r"},
		{"nothing is removed here", "echo still$((1+1))\r"}, {"still2", "exit 3\r"}}, "shell", "--", "sh")
	for _, want := range []string{"30 100", "nothing is removed here", "still2", "exit code 3"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %q", want, out)
		}
	}
}

// last is the newest session whose replay has a text.
func (r *rig) last(t *testing.T, text string) string {
	t.Helper()
	found := ""
	err := r.await(func() bool {
		var list struct {
			Sessions []struct {
				ID string `json:"id"`
			} `json:"sessions"`
		}
		if err := json.Unmarshal([]byte(r.Must(t, "sessions", "list", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		for _, s := range list.Sessions {
			if replay, err := r.Output("sessions", "replay", s.ID); err == nil && strings.Contains(replay, text) {
				found = s.ID
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestHold: a command waits before its connection is upgraded, and runs once it is approved.
func TestHold(t *testing.T) {
	if _, err := shared.cluster.Kubectl(t.Context(), "exec", "shell", "--", "rm", "-f", "/tmp/held"); err != nil { // of a run before
		t.Fatal(err)
	}
	cmd := shared.kubectl(t, shared.token(t, "ops"), "exec", "shell", "--", "touch", "/tmp/held")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var id string
	err := shared.await(func() bool {
		var list []struct {
			ID string `json:"id"`
		}
		if json.Unmarshal([]byte(shared.Must(t, "approvals", "list", "--json")), &list) == nil && len(list) > 0 {
			id = list[0].ID
		}
		return id != ""
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shared.cluster.Kubectl(t.Context(), "exec", "shell", "--", "test", "-e", "/tmp/held"); err == nil {
		t.Error("it ran before it was approved")
	}
	shared.Must(t, "approvals", "approve", id, "--as", "user:dana@example.com", "--group", "leads")
	if err := cmd.Wait(); err != nil {
		t.Errorf("after the approval: %v", err)
	}
	if _, err := shared.cluster.Kubectl(t.Context(), "exec", "shell", "--", "test", "-e", "/tmp/held"); err != nil {
		t.Errorf("it did not run: %v", err)
	}
}

// TestRevoked: revoking the token ends a command that runs.
func TestRevoked(t *testing.T) {
	token := shared.token(t, "ops")
	cmd := shared.kubectl(t, token, "exec", "shell", "--", "sh", "-c", "echo begun; sleep 600")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("begun\n"))); err != nil {
		t.Fatal(err)
	}
	shared.Must(t, "token", "revoke", tokenID(t, token))
	began := time.Now()
	if err := cmd.Wait(); err == nil {
		t.Error("it ended in order")
	}
	t.Logf("ended %s after the revocation", time.Since(began))
}

// tokenID is the id that a token has within.
func tokenID(t *testing.T, token string) string {
	t.Helper()
	var claims struct {
		ID string `json:"jti"`
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(b, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims.ID
}

// TestStreamAttacks: nothing but a plain upgraded request reaches a pod, and nobody says who they are to the bridge.
func TestStreamAttacks(t *testing.T) {
	token := shared.token(t, "ops")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: shared.tls(t)}, Timeout: limit}
	const at = "/api/v1/namespaces/default/pods/shell"
	const q = "?command=touch&command=/tmp/attacked&stdout=true"
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, "Sec-Websocket-Protocol": {"v5.channel.k8s.io"}}
	spdy := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}, "X-Stream-Protocol-Version": {"v4.channel.k8s.io"}}
	for _, c := range []struct {
		method, path string
		header       http.Header
	}{
		{"POST", at + "/exec" + q, nil}, {"GET", at + "/exec" + q, nil},
		{"POST", at + "/%65xec" + q, nil}, {"POST", at + "//exec" + q, nil}, {"POST", at + "/./exec" + q, nil}, {"POST", at + "/log/../exec" + q, nil},
		{"POST", at + "%2Fexec" + q, nil}, {"POST", "/api/v1/namespaces/default/pods/x%2F..%2Fshell/exec" + q, nil},
		{"POST", at + "/attach?stdin=true&stdout=true", nil}, {"POST", at + "/portforward?ports=80", nil},
		{"GET", at + "/%65xec" + q, upgrade}, {"GET", at + "//exec" + q, upgrade}, {"GET", at + "/log/../exec" + q, upgrade}, {"GET", at + "/exec/" + q, upgrade},
		{"GET", at + "/exec" + q + "&Command=x", upgrade}, {"GET", at + "/exec" + q + "&stdout=false", upgrade}, {"GET", at + "/exec" + q + ";command=ls", upgrade},
		{"GET", at + "/exec?command=rm&stdout=true", upgrade}, {"POST", at + "/exec" + q, upgrade}, {"GET", at + "/portforward", upgrade},
		{"GET", at + "/attach?stdin=true&stdout=true", upgrade},
		{"PUT", at + "/exec" + q, spdy}, {"POST", at + "/exec" + q, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}},
		{"POST", at + "/exec" + q + "&stdout=true", spdy}, {"POST", at + "/exec?command=rm&stdout=true", spdy}, {"POST", at + "/portforward", spdy}, {"POST", at + "/%65xec" + q, spdy}, {"GET", "/api", spdy},
	} {
		req, err := http.NewRequest(c.method, fmt.Sprintf("https://127.0.0.1:%d%s", shared.port, c.path), nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range c.header {
			req.Header[k] = v
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.path, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("%s %s: %s", c.method, c.path, res.Status)
		}
	}
	for _, h := range []http.Header{
		{"X-Dragoman-Uri-San": {"spiffe://x/y"}}, {"X-Dragoman-Target": {"prod"}, "X-Dragoman-Client": {"1.2.3.4:5"}}, {"Authorization": {"Bearer x"}},
		{"Authorization": {"Basic eDp5"}},
	} {
		req, err := http.NewRequest("GET", fmt.Sprintf("https://127.0.0.1:%d%s/exec?command=true&stdout=true", shared.port, at), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []http.Header{upgrade, h} {
			for k, v := range part {
				req.Header[k] = v
			}
		}
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("%v: %v", h, err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !bytes.Contains(body, []byte(`"kind":"Status"`)) {
			t.Errorf("%v: %s %s", h, res.Status, body)
		}
	}
	if _, err := shared.cluster.Kubectl(t.Context(), "exec", "shell", "--", "test", "-e", "/tmp/attacked"); err == nil {
		t.Error("something has reached the pod")
	}
}

// TestPython: the official client, which speaks v4.
func TestPython(t *testing.T) {
	cmd := exec.Command("python3", "-c", `import kubernetes
from kubernetes.stream import stream
kubernetes.config.load_kube_config()
api = kubernetes.client.CoreV1Api()
print(stream(api.connect_get_namespaced_pod_exec, "shell", "default", command=["echo", "from python"], stdout=True, stderr=True, stdin=False, tty=False))
w = stream(api.connect_get_namespaced_pod_exec, "shell", "default", command=["sh", "-c", "exit 5"], stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False)
w.run_forever(timeout=30)
print("code", w.returncode)
try:
    stream(api.connect_get_namespaced_pod_exec, "shell", "default", command=["rm", "x"], stdout=True, stderr=True, stdin=False, tty=False)
except kubernetes.client.exceptions.ApiException as e:
    print("refused", e.status, e.reason)
name = "from-python"
api.create_namespaced_secret("default", {"metadata": {"name": name}, "stringData": {"password": "python-canary"}})
print("created", [o.metadata.name for o in api.list_namespaced_secret("default").items if o.metadata.name == name])
got = api.read_namespaced_secret(name, "default")
print("secret", got.data)
events = kubernetes.watch.Watch().stream(api.list_namespaced_secret, "default", field_selector="metadata.name=" + name, timeout_seconds=120)
one = next(events)
print("watch", one["type"], one["object"].metadata.name, one["object"].data)
api.patch_namespaced_secret(name, "default", {"metadata": {"labels": {"by": "python"}}})
two = next(events)
print("watch", two["type"], two["object"].metadata.labels["by"])
api.delete_namespaced_secret(name, "default")
print("watch", next(events)["type"])
`)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.kubeconfig(t, shared.token(t, "ops")), "PYTHONPATH="+shared.cluster.Tools.Python)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), base64.StdEncoding.EncodeToString([]byte("python-canary"))) {
		t.Errorf("%s %v", out, err)
	}
	for _, want := range []string{"from python\n", "code 5", "403", "created ['from-python']", "watch ADDED from-python", "watch MODIFIED python", "watch DELETED",
		base64.StdEncoding.EncodeToString([]byte("[redacted]"))} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Errorf("%s %v", out, err)
	}
}
