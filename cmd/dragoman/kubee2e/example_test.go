//go:build kube

package kubee2e

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExample: the manifests of examples/kubernetes are good for a real API server, its policy is good for dragoman, and
// the account that they make may act as others, with the chain, and do nothing else.
func TestExample(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(repo, "examples", "kubernetes")
	if out, err := exec.Command(filepath.Join(shared.Bin, "dragoman"), "policy", "check", filepath.Join(dir, "policy")).CombinedOutput(); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if out, err := shared.cluster.Kubectl(ctx, "apply", "-f", filepath.Join(dir, "manifests.yaml")); err != nil || strings.Contains(string(out), "Warning") {
		t.Fatal(string(out), err)
	}
	defer func() {
		_, _ = shared.cluster.Kubectl(ctx, "delete", "--wait=false", "-f", filepath.Join(dir, "manifests.yaml"))
	}()
	token, err := shared.cluster.Kubectl(ctx, "-n", "dragoman", "create", "token", "dragoman")
	if err != nil {
		t.Fatal(err)
	}
	config := shared.tls(t)
	ask := func(fields map[string]string) (int, string) {
		req, err := http.NewRequest("GET", shared.cluster.Server+"/api/v1/namespaces/default/secrets", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		for name, value := range fields {
			req.Header.Set(name, value)
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: config.RootCAs}}, Timeout: limit}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	if code, text := ask(nil); code != http.StatusForbidden || !strings.Contains(text, "system:serviceaccount:dragoman:dragoman") {
		t.Errorf("for itself: %d %s", code, text)
	}
	chain := map[string]string{"Impersonate-User": "agent:ops-bot", "Impersonate-Extra-Dragoman.dev%2fsession": "ses_1", "Impersonate-Extra-Dragoman.dev%2fon-Behalf-Of": "user:alice@example.com",
		"Impersonate-Extra-Dragoman.dev%2factor": "agent:ops-bot"}
	if code, text := ask(chain); code != http.StatusForbidden || !strings.Contains(text, `"agent:ops-bot\" cannot list`) {
		t.Errorf("as somebody without groups: %d %s", code, text)
	}
	chain["Impersonate-Group"] = "ops"
	if code, text := ask(chain); code != http.StatusOK {
		t.Errorf("as one of ops: %d %s", code, text)
	}
	chain["Impersonate-Extra-Scopes"] = "all"
	if code, text := ask(chain); code != http.StatusForbidden || !strings.Contains(text, "userextras") {
		t.Errorf("with another field: %d %s", code, text)
	}
}
