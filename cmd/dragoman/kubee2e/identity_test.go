//go:build kube

package kubee2e

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// event is what of the API server's own audit log is looked at.
type event struct {
	Verb      string `json:"verb"`
	URI       string `json:"requestURI"`
	User      user   `json:"user"`
	Acting    user   `json:"impersonatedUser"`
	ObjectRef struct {
		Resource, Subresource, Name string
	} `json:"objectRef"`
}

type user struct {
	Username string              `json:"username"`
	Groups   []string            `json:"groups"`
	Extra    map[string][]string `json:"extra"`
}

// TestIdentityInTheCluster: the cluster's own log names who acted, with the whole chain, for calls and for exec; its RBAC is
// about them, and not about the gateway's account, which may do everything.
func TestIdentityInTheCluster(t *testing.T) {
	token := shared.token(t, "ops")
	for _, args := range [][]string{{"get", "pod", "shell"}, {"exec", "shell", "--", "true"}} {
		if o, e, code := output(t, shared.kubectl(t, token, args...), ""); code != 0 {
			t.Fatal(args, o, e)
		}
	}
	for name, is := range map[string]func(*event) bool{
		"a call": func(e *event) bool {
			return e.Verb == "get" && e.ObjectRef.Name == "shell" && e.ObjectRef.Subresource == ""
		},
		"exec": func(e *event) bool {
			return e.ObjectRef.Subresource == "exec" && strings.Contains(e.URI, "command=true")
		},
	} {
		err := shared.await(func() bool {
			return slices.ContainsFunc(events(t), func(e event) bool { return is(&e) && chained(&e) })
		})
		if err != nil {
			t.Errorf("%s: the cluster's log does not say who acted: %v", name, err)
		}
	}
	// Policy lets this group through, the cluster does not.
	shut := shared.token(t, "guests")
	if _, e, code := output(t, shared.kubectl(t, shut, "get", "pods"), ""); code == 0 || !strings.Contains(e, "agent:ci-bot") {
		t.Errorf("the cluster's RBAC does not count: %d %s", code, e)
	}
	if _, e, code := output(t, shared.kubectl(t, shut, "exec", "shell", "--", "true"), ""); code == 0 || !strings.Contains(e, "agent:ci-bot") {
		t.Errorf("the cluster's RBAC does not count for exec: %d %s", code, e)
	}
}

func chained(e *event) bool {
	x := e.Acting.Extra
	return e.User.Username == "system:serviceaccount:default:gateway" && e.Acting.Username == "agent:ci-bot" && slices.Contains(e.Acting.Groups, "ops") &&
		slices.Equal(x["dragoman.dev/actor"], []string{"user:alice@example.com", "agent:ci-bot"}) &&
		slices.Equal(x["dragoman.dev/on-behalf-of"], []string{"user:alice@example.com"}) && len(x["dragoman.dev/session"]) == 1
}

func events(t *testing.T) []event {
	t.Helper()
	b, err := os.ReadFile(shared.cluster.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	var out []event
	for line := range bytes.Lines(b) {
		var e event
		if json.Unmarshal(line, &e) == nil { // the last line may not be whole yet
			out = append(out, e)
		}
	}
	return out
}

// TestKubeconfig: kubectl works with what `dragoman kubeconfig` prints, which has no token in it.
func TestKubeconfig(t *testing.T) {
	token := shared.token(t, "ops")
	file := t.TempDir() + "/token"
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ args, env []string }{
		"from the environment": {env: []string{"DRAGOMAN_TOKEN=" + token}},
		"from a file":          {args: []string{"--token-file", file}},
		"by an authority":      {args: []string{"--ca", shared.cluster.CAFile, "--token-file", file}},
	} {
		t.Run(name, func(t *testing.T) {
			text := shared.Must(t, append([]string{"kubeconfig", "--target", "prod"}, c.args...)...)
			if strings.Contains(text, token) {
				t.Error("the token is in it")
			}
			path := t.TempDir() + "/kubeconfig"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := shared.kubectl(t, "", "get", "pods")
			cmd.Env = append(cmd.Env, append(c.env, "KUBECONFIG="+path, "PATH="+shared.Bin+":"+os.Getenv("PATH"))...)
			if o, e, code := output(t, cmd, ""); code != 0 || !strings.Contains(o, "shell") {
				t.Errorf("%d %s %s", code, o, e)
			}
		})
	}
	if _, err := shared.Output("kubeconfig", "--target", "other"); err == nil || !strings.Contains(err.Error(), "no target other") {
		t.Error(err)
	}
}
