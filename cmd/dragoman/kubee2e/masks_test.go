//go:build kube

package kubee2e

import (
	"strings"
	"testing"
)

// TestConfiguredMask: a field that a mask names is not told by what was last applied, nor by who manages it, in any form; what is
// applied and edited beside it still works, and it stays what it was.
func TestConfiguredMask(t *testing.T) {
	token := shared.token(t, "ops")
	run := func(stdin string, args ...string) string {
		t.Helper()
		out, errs, code := output(t, shared.kubectl(t, token, args...), stdin)
		if code != 0 {
			t.Fatalf("kubectl %v: %s%s", args, out, errs)
		}
		return out + errs
	}
	const canary = "note-canary"
	manifest := func(colour string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: noted, finalizers: []}\ndata: {note: " + canary + ", colour: " + colour + "}\n"
	}
	run(manifest("red"), "apply", "-f", "-")
	defer run("", "delete", "configmap", "noted")
	for _, args := range [][]string{{"-o", "yaml"}, {"-o", "json", "--show-managed-fields"}, {"-o", "wide"}, {"-o", "jsonpath={.metadata.annotations}{.data.note}"}} {
		if out := run("", append([]string{"get", "configmap", "noted"}, args...)...); strings.Contains(out, canary) {
			t.Errorf("%v: %s", args, out)
		}
	}
	run(manifest("blue"), "apply", "-f", "-")
	run(manifest("green"), "apply", "--server-side", "--force-conflicts", "-f", "-")
	run("", "label", "configmap", "noted", "seen=yes")
	out, err := shared.cluster.Kubectl(t.Context(), "get", "configmap", "noted", "-o", "jsonpath={.data.note} {.data.colour} {.metadata.labels.seen}")
	if err != nil || strings.TrimSpace(string(out)) != canary+" green yes" {
		t.Errorf("%s %v", out, err)
	}
}
