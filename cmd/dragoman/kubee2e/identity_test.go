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
