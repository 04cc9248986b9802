//go:build rdp

package rdpe2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSession: a client logs in, sees the desktop, types; what it saw is what the record shows, at every depth.
func TestSession(t *testing.T) {
	for _, depth := range []string{"32", "24", "16"} {
		t.Run(depth+" bits", func(t *testing.T) {
			who := "agent:depth-" + depth
			c := shared.connect(t, "clear", shared.token(t, who, "ops"), "/bpp:"+depth)
			shared.desktop(t, c)
			word := "typed-" + depth
			shared.types(t, "echo "+word+" > "+word)
			await(t, "what was typed arrives", func() bool {
				b, err := os.ReadFile(filepath.Join(shared.xrdp.Home(), word))
				return err == nil && string(b) == word+"\n"
			})
			seen := shared.still(t)
			c.close()
			id := shared.last(t, who)
			last, index := shared.pictures(t, id)
			exact, off := different(seen, last, 0), different(seen, last, tolerance)
			t.Logf("of %d pixels %d differ, %d by more than %d", width*height, exact, off, tolerance)
			if off > 0 {
				t.Errorf("%d pixels of the replay are not what the client showed", off)
			}
			if text := shared.must(t, "sessions", "replay", id); !strings.Contains(text, "typed: echo "+word+" > "+word+"<Enter>") {
				t.Errorf("the replay:\n%s", text)
			}
			if !strings.Contains(index, `"keys": "t"`) || !strings.Contains(index, `"click"`) {
				t.Errorf("the index:\n%s", index)
			}
		})
	}
}

// TestKeysAreMasked: by default the record does not say which characters were typed, but that there were some.
func TestKeysAreMasked(t *testing.T) {
	c := shared.connect(t, "desk", shared.token(t, "agent:masked", "ops"))
	shared.desktop(t, c)
	shared.types(t, "echo pass-w0rd > masked")
	await(t, "what was typed arrives", func() bool {
		b, err := os.ReadFile(filepath.Join(shared.xrdp.Home(), "masked"))
		return err == nil && string(b) == "pass-w0rd\n"
	})
	c.close()
	text := shared.must(t, "sessions", "replay", shared.last(t, "agent:masked"))
	if strings.Contains(text, "w0rd") || !strings.Contains(text, "typed: •") || !strings.Contains(text, "<Enter>") {
		t.Errorf("the replay:\n%s", text)
	}
	if strings.Contains(text, shared.xrdp.Password) {
		t.Error("the target's password is in the record")
	}
	if !strings.Contains(text, `"cliprdr"`) || !strings.Contains(text, `"rdpsnd"`) {
		t.Errorf("which channels are off is not recorded:\n%s", text)
	}
}

// TestOnlyLooking: who may not use the keyboard sees the desktop all the same.
func TestOnlyLooking(t *testing.T) {
	c := shared.connect(t, "desk", shared.token(t, "agent:looker", "lookers"))
	shared.desktop(t, c)
	shared.types(t, "echo looker > looker")
	c.close()
	text := shared.must(t, "sessions", "replay", shared.last(t, "agent:looker"))
	if strings.Contains(text, "typed:") {
		t.Errorf("the replay:\n%s", text)
	}
	d := shared.connect(t, "desk", shared.token(t, "agent:after-looker", "ops"))
	shared.desktop(t, d)
	shared.types(t, "echo done > after")
	await(t, "what is typed later arrives", func() bool {
		_, err := os.Stat(filepath.Join(shared.xrdp.Home(), "after"))
		return err == nil
	})
	if _, err := os.Stat(filepath.Join(shared.xrdp.Home(), "looker")); err == nil {
		t.Error("what was typed has arrived")
	}
}

// TestNetworkLevelAuthentication: the bridge proves the target's password to a server that asks for it first, by CredSSP.
func TestNetworkLevelAuthentication(t *testing.T) {
	c := shared.connect(t, "shadow", shared.token(t, "agent:nla", "ops"))
	green := deskBlue
	green.R, green.G, green.B = 0x20, 0x60, 0x40
	await(t, "the shadowed desktop", func() bool { return near(shared.shot(t).At(400, 300), green) })
	seen := shared.still(t)
	c.close()
	last, _ := shared.pictures(t, shared.last(t, "agent:nla"))
	b := last.Bounds()
	for y := range min(height, b.Dy()) {
		for x := range min(width, b.Dx()) {
			if !near(seen.At(x, y), rgba(last.At(x, y))) {
				t.Fatalf("%d,%d is %v, and %v in the replay", x, y, seen.At(x, y), last.At(x, y))
			}
		}
	}
}

// TestSplitToken: for a client that takes no password of more than 255 characters, the first part of the token is the domain.
func TestSplitToken(t *testing.T) {
	token := shared.token(t, "agent:split", "ops")
	const most = 255
	if len(token) <= most || len(token) > 2*most {
		t.Fatalf("a token has %d characters", len(token))
	}
	at := len(token) - most
	c := shared.connect(t, "desk", token[at:], "/d:"+token[:at])
	shared.desktop(t, c)
	c.close()
	shared.last(t, "agent:split")
}
