//go:build rdp

package rdpe2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// copies puts text on the client's clipboard, or on the target's.
func copies(t *testing.T, on func(context.Context, string, string, ...string) (string, error), text string) {
	t.Helper()
	// It stays, to be asked for the text, and would keep its output open.
	if _, err := on(context.Background(), text, "sh", "-c", "exec xclip -i -selection clipboard >/dev/null 2>&1"); err != nil {
		t.Fatal(err)
	}
}

// pasted is what a program would paste; "" where nothing is given, for which xrdp lets it wait.
func pasted(on func(context.Context, string, string, ...string) (string, error)) string {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	out, err := on(ctx, "", "xclip", "-o", "-selection", "clipboard", "-t", "UTF8_STRING")
	if err != nil {
		return ""
	}
	return out
}

// TestClipboard: where it is on, each paste is an action, masked on its way out and recorded.
func TestClipboard(t *testing.T) {
	c := shared.connect(t, "clear", shared.token(t, "agent:clip", "ops"), "+clipboard")
	shared.desktop(t, c)
	copies(t, shared.screen.Run, "from the client")
	await(t, "the client's text at the target", func() bool { return pasted(shared.xrdp.Run) == "from the client" })
	copies(t, shared.xrdp.Run, "write to joe@example.com")
	var got string
	await(t, "the target's text at the client", func() bool { got = pasted(shared.screen.Run); return strings.HasPrefix(got, "write to") })
	if strings.Contains(got, "joe@example.com") {
		t.Errorf("not masked: %q", got)
	}
	c.close()
	text := shared.must(t, "sessions", "replay", shared.last(t, "agent:clip"))
	for _, want := range []string{"write clipboard text of 15 characters", "'from the client'", "clipboard: from the client", "read clipboard text of 24 characters", "clipboard: write to"} {
		if !strings.Contains(text, want) {
			t.Errorf("the replay has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "joe@example.com") {
		t.Errorf("a masked value is in the record:\n%s", text)
	}
}

// TestClipboardBlocked: where policy blocks one direction, the other goes on; where it is off there is none.
func TestClipboardBlocked(t *testing.T) {
	c := shared.connect(t, "copyout", shared.token(t, "agent:copyout", "ops"), "+clipboard")
	shared.desktop(t, c)
	copies(t, shared.screen.Run, "not for the target")
	await(t, "the paste is refused", func() bool {
		if got := pasted(shared.xrdp.Run); strings.Contains(got, "not for the target") {
			t.Fatalf("pasted %q", got)
		}
		return shared.session(t, "agent:copyout").Blocked > 0
	})
	copies(t, shared.xrdp.Run, "from the target")
	await(t, "the target's text at the client", func() bool { return pasted(shared.screen.Run) == "from the target" })
	c.close()
	if text := shared.must(t, "sessions", "replay", shared.last(t, "agent:copyout")); !strings.Contains(text, "nothing is pasted there") {
		t.Errorf("the replay:\n%s", text)
	}
}

// TestClipboardOff: by default the target is not told that there is a clipboard.
func TestClipboardOff(t *testing.T) {
	c := shared.connect(t, "desk", shared.token(t, "agent:noclip", "ops"), "+clipboard")
	shared.desktop(t, c)
	copies(t, shared.screen.Run, "stays here")
	shared.types(t, "echo seen > noclip") // what comes behind it on the same connection
	if got := pasted(shared.xrdp.Run); strings.Contains(got, "stays here") {
		t.Errorf("pasted %q", got)
	}
}
