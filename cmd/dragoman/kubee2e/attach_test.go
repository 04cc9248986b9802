//go:build kube

package kubee2e

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"testing"
)

// TestFollow: what a pod says is followed as it comes, by kubectl attach over both protocols and by kubectl logs -f: masked, and in
// the record. Input to a program that is not known is refused.
func TestFollow(t *testing.T) {
	ctx := context.Background()
	if err := shared.cluster.Pod(ctx, "default", "ticker", "sh", "-c", "n=0; while :; do n=$((n+1)); echo tick-$n of ada.moreau@example.com; sleep 0.2; done"); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = shared.cluster.Kubectl(ctx, "delete", "pod", "ticker", "--wait=false") }()
	token := shared.token(t, "ops")
	for name, cmd := range map[string]*exec.Cmd{
		"attach over WebSocket": shared.kubectl(t, token, "attach", "ticker"),
		"attach over SPDY":      overSPDYOnly(shared.at(shared.spdy).kubectl(t, token, "attach", "ticker")),
		"logs -f":               shared.kubectl(t, token, "logs", "-f", "--tail=1", "ticker"),
	} {
		t.Run(name, func(t *testing.T) {
			lines := follow(t, cmd, 5)
			if text := strings.Join(lines, "\n"); strings.Contains(text, "ada.moreau") || !strings.Contains(text, "[redacted]") {
				t.Errorf("it is not masked:\n%s", text)
			}
			shared.last(t, lines[len(lines)-1])
		})
	}
	if out, errs, code := output(t, shared.kubectl(t, token, "attach", "-i", "ticker"), "rm -rf /\n"); code == 0 || strings.Contains(out, "tick-") || !strings.Contains(errs, "effects cannot be seen") {
		t.Errorf("with input: %q %q %d", out, errs, code)
	}
}

func overSPDYOnly(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, overSPDY)
	return cmd
}

// follow gives the next lines of a pod that a command prints, which is ended then.
func follow(t *testing.T, cmd *exec.Cmd, n int) (lines []string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); len(lines) < n && s.Scan(); {
		if strings.HasPrefix(s.Text(), "tick-") {
			lines = append(lines, s.Text())
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if len(lines) < n {
		t.Fatalf("only %q", lines)
	}
	return lines
}
