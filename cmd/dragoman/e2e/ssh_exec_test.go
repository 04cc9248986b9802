package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/notice"
)

// TestSSHExec: a command runs on the target through Envoy and the bridge; one that is blocked does not, and says why.
func TestSSHExec(t *testing.T) {
	r := newSSH(t, sshSetup{})
	token := r.token("ops")
	out, errs, code := r.ssh(token, "", "echo hello; echo oops >&2; exit 3")
	if out != "hello\n" || !strings.Contains(errs, "oops") || code != 3 {
		t.Fatalf("%q %q %d\n%s", out, errs, code, r.log)
	}
	out, _, code = r.ssh(token, "through\n", "cat")
	if out != "through\n" || code != 0 {
		t.Fatalf("%q %d", out, code)
	}
	out, errs, code = r.ssh(token, "", "echo a; rm -rf /nonexistent/x")
	if out != "" || code != 126 || !strings.Contains(errs, "nothing is removed here") || !strings.Contains(errs, "no-rm") {
		t.Fatalf("%q %q %d", out, errs, code)
	}
	if n, ok := notice.Parse(errs); !ok || n != (notice.Notice{Code: notice.Blocked, Rule: "no-rm", Instead: "ask for a ticket"}) {
		t.Fatalf("programs are told %+v in %q", n, errs)
	}
	var list struct{ Sessions []struct{ ID string } }
	await(t, func() bool {
		return json.Unmarshal([]byte(r.must("sessions", "list", "--json")), &list) == nil && len(list.Sessions) == 3
	}, func() string { return fmt.Sprint("three sessions: ", list) })
	for i, words := range [][]string{{"no-rm", "rm -rf"}, {"cat"}, {"echo hello"}} { // the newest is the first
		if events, _ := r.exports(t, list.Sessions[i].ID, false, append(words, "alice@example.com"), []string{token}); events < 2 {
			t.Error(list.Sessions[i].ID, events)
		}
	}
	if _, errs, code = r.ssh("not-a-token", "", "id"); code != 255 {
		t.Fatalf("%q %d", errs, code)
	}
	if _, errs, code = r.ssh(r.token("others"), "", "id"); code != 255 || !strings.Contains(errs, "dragoman: ") {
		t.Fatalf("%q %d", errs, code)
	}
}
