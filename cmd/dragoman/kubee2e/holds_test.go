//go:build kube

package kubee2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// waiting is the id of the hold that waits.
func (r *rig) waiting(t *testing.T) string {
	t.Helper()
	var list []struct {
		ID string `json:"id"`
	}
	err := r.await(func() bool {
		list = nil
		return json.Unmarshal([]byte(r.Must(t, "approvals", "list", "--json")), &list) == nil && len(list) > 0
	})
	if err != nil {
		t.Fatal(err)
	}
	return list[0].ID
}

// TestHoldCall: a call waits for people; approved it is done, denied it is not.
func TestHoldCall(t *testing.T) {
	token := shared.token(t, "ops")
	for _, c := range []struct {
		name, answer string
		done         bool
	}{{"held-a", "approve", true}, {"held-b", "deny", false}} {
		if _, err := shared.cluster.Kubectl(t.Context(), "create", "configmap", c.name); err != nil {
			t.Fatal(err)
		}
		cmd := shared.kubectl(t, token, "delete", "configmap", c.name)
		var said said
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		id := shared.waiting(t)
		if _, err := shared.cluster.Kubectl(t.Context(), "get", "configmap", c.name); err != nil {
			t.Error("it was done before anybody said so")
		}
		shared.Must(t, "approvals", c.answer, id, "--as", "user:dana@example.com", "--group", "leads")
		if err := cmd.Wait(); (err == nil) != c.done || !c.done && !strings.Contains(said.String(), "dragoman") {
			t.Errorf("%s: %v %s", c.answer, err, &said)
		}
		if _, err := shared.cluster.Kubectl(context.Background(), "get", "configmap", c.name); (err != nil) != c.done {
			t.Errorf("%s: %v", c.answer, err)
		}
		_, _ = shared.cluster.Kubectl(context.Background(), "delete", "configmap", c.name, "--ignore-not-found")
	}
}

// TestHoldDeniedStream: a command that is denied does not run, and kubectl's second try over SPDY does not ask again.
func TestHoldDeniedStream(t *testing.T) {
	cmd := shared.kubectl(t, shared.token(t, "ops"), "exec", "shell", "--", "touch", "/tmp/denied")
	var said said
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shared.Must(t, "approvals", "deny", shared.waiting(t), "--as", "user:dana@example.com", "--group", "leads", "--reason", "not today")
	if err := cmd.Wait(); err == nil || !strings.Contains(said.String(), "not today") {
		t.Errorf("%v %s", err, &said)
	}
	if _, err := shared.cluster.Kubectl(t.Context(), "exec", "shell", "--", "test", "-e", "/tmp/denied"); err == nil {
		t.Error("it ran")
	}
}

// TestCertificate: a client certificate with a SPIFFE ID is identity enough, for calls and for streams, and the cluster's log has it.
func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	kubeconfig := func(name string) string {
		cert, key, err := shared.cluster.ClientCert(name)
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Join(dir, filepath.Base(name))
		for ext, b := range map[string][]byte{".crt": cert, ".key": key, ".yaml": []byte("{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],\n" +
			"clusters: [{name: c, cluster: {server: \"" + shared.at(shared.locked).url() + "\", certificate-authority: " + shared.cluster.CAFile + "}}],\n" +
			"users: [{name: u, user: {client-certificate: " + base + ".crt, client-key: " + base + ".key}}]}\n")} {
			if err := os.WriteFile(base+ext, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return base + ".yaml"
	}
	for name, good := range map[string]bool{"spiffe://example.org/agent/deployer": true, "spiffe://elsewhere.org/agent/x": false, "someone": false} {
		for _, args := range [][]string{{"get", "pods"}, {"exec", "shell", "--", "echo", "by certificate"}} {
			cmd := shared.kubectl(t, "", args...)
			cmd.Env = append(cmd.Env, "KUBECONFIG="+kubeconfig(name))
			if o, e, code := output(t, cmd, ""); (code == 0) != good {
				t.Errorf("%s %v: %d %s %s", name, args, code, o, e)
			}
		}
	}
	err := shared.await(func() bool {
		for _, e := range events(t) {
			if e.Acting.Username == "spiffe://example.org/agent/deployer" && e.ObjectRef.Subresource == "exec" {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Error("the cluster's log does not say who acted")
	}
}

// TestExecOnly: commands run, shells do not, whatever carries them.
func TestExecOnly(t *testing.T) {
	r, token := shared.at(shared.locked), shared.token(t, "ops")
	if o, e, code := output(t, r.kubectl(t, token, "exec", "shell", "--", "echo", "fine"), ""); code != 0 || o != "fine\n" {
		t.Errorf("%d %s %s", code, o, e)
	}
	for _, env := range []string{"", overSPDY} {
		cmd := r.kubectl(t, token, "exec", "-i", "shell", "--", "sh")
		cmd.Env = append(cmd.Env, env)
		if o, e, code := output(t, cmd, "echo no\n"); code == 0 || !strings.Contains(e, "no interactive shells") || o != "" {
			t.Errorf("%d %s %s", code, o, e)
		}
	}
}
