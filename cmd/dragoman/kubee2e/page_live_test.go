//go:build kube

package kubee2e

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/e2erig"
)

// TestPageLive: in Chromium, what kubectl's shell does is followed as it does it, and the page's button ends it.
func TestPageLive(t *testing.T) {
	token := shared.Token(t, "agent:followed", "user:alice@example.com", "ops")
	cmd := exec.Command("script", "-qec", shared.cluster.Tools.Kubectl+" exec -it shell -- sh", "/dev/null")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+shared.kubeconfig(t, token), "TERM=xterm", "SHELL=/bin/sh")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	shell, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	defer shell.End(syscall.SIGTERM, limit)
	var id string
	if err := shared.await(func() bool { id = liveOf(t, "agent:followed"); return id != "" }); err != nil {
		t.Fatal(err)
	}
	ctx, base := shared.Admin(t, e2erig.Browser(t))
	e2erig.FollowAndEnd(t, ctx, base, id, func() { io.WriteString(in, "echo seen-live\r") }, "seen-live")
	select {
	case <-shell.Done():
	case <-time.After(limit):
		t.Error("kubectl's shell goes on")
	}
}

// liveOf is the live session of an identity that has done something and is no span of API calls; "" while there is none.
func liveOf(t *testing.T, identity string) string {
	t.Helper()
	var list struct {
		Sessions []struct {
			ID      string
			Live    bool
			Actions int
		}
	}
	out, err := shared.Output("sessions", "list", "--json", "--identity", identity)
	if err != nil || json.Unmarshal([]byte(out), &list) != nil {
		return ""
	}
	for _, s := range list.Sessions {
		if replay, err := shared.Output("sessions", "replay", s.ID); err == nil && s.Live && s.Actions > 0 && strings.Contains(replay, "interactive shell") {
			return s.ID
		}
	}
	return ""
}
