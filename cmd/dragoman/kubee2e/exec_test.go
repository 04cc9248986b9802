//go:build kube

package kubee2e

import (
	"strings"
	"testing"
)

// overSPDY has kubectl carry streams over SPDY, as it did before 1.31.
const overSPDY = "KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false"

// TestExec: kubectl exec, judged by its command, with true exit codes, masked, whatever carries it on either side.
func TestExec(t *testing.T) {
	token := shared.token(t, "ops")
	t.Run("over WebSocket", func(t *testing.T) { execs(t, shared, token, "") })
	t.Run("over SPDY", func(t *testing.T) { execs(t, shared, token, overSPDY) })
	t.Run("to a target over SPDY", func(t *testing.T) { execs(t, shared.at(shared.spdy), token, "") })
	t.Run("over SPDY to SPDY", func(t *testing.T) { execs(t, shared.at(shared.spdy), token, overSPDY) })
}

func execs(t *testing.T, r *rig, token, env string) {
	for _, c := range []struct {
		name, stdin, stdout, stderr string
		code                        int
		args                        []string
	}{
		{name: "stdout", args: []string{"shell", "--", "echo", "a  b", "it's"}, stdout: "a  b it's\n"},
		{name: "exit code", args: []string{"shell", "--", "sh", "-c", "echo out; echo err >&2; exit 7"}, stdout: "out\n", stderr: "err\n", code: 7},
		{name: "stdin", stdin: "one\ntwo\n", args: []string{"-i", "shell", "--", "wc", "-l"}, stdout: "2\n"},
		{name: "masked", args: []string{"shell", "--", "echo", "mail alice@example.com now"}, stdout: "mail [redacted] now\n"},
		{name: "blocked", args: []string{"shell", "--", "rm", "-rf", "/tmp/x"}, stderr: "nothing is removed here", code: 1},
		{name: "blocked within", args: []string{"shell", "--", "sh", "-c", "true; rm -rf /tmp/x"}, stderr: "nothing is removed here", code: 1},
		{name: "blocked by namespace", args: []string{"-n", "kube-system", "system", "--", "true"}, stderr: "not in kube-system", code: 1},
		{name: "dangerous", args: []string{"shell", "--", "sh", "-c", `eval "$X"`}, stderr: "dragoman: blocked", code: 1},
		{name: "no such program", args: []string{"shell", "--", "/bin/nonesuch"}, stderr: "nonesuch", code: -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := r.kubectl(t, token, append([]string{"exec"}, c.args...)...)
			cmd.Env = append(cmd.Env, env)
			o, e, code := output(t, cmd, c.stdin)
			if o != c.stdout || !strings.Contains(e, c.stderr) || code != c.code && c.code >= 0 || c.code < 0 && code == 0 {
				t.Errorf("stdout %q\nstderr %q\ncode %d", o, e, code)
			}
		})
	}
	if _, e, code := output(t, r.kubectl(t, shared.token(t, "nobody"), "exec", "shell", "--", "true"), ""); code == 0 {
		t.Errorf("without a group: %d %s", code, e)
	}
}
