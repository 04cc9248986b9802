//go:build rdp

package rdpe2e

import (
	"encoding/json"
	"image/color"
	"strings"
	"testing"
)

func rgba(c color.Color) color.RGBA { return color.RGBAModel.Convert(c).(color.RGBA) }

// denied is xfreerdp's exit code for ERRINFO_SERVER_DENIED_CONNECTION.
const denied = "ERRINFO_SERVER_DENIED_CONNECTION"

// notice waits for white words on black at the top of the client's screen.
func notice(t *testing.T) {
	t.Helper()
	await(t, "a notice", func() bool {
		img := shared.shot(t)
		white, other := 0, 0
		for y := range 140 {
			for x := range width {
				switch rgba(img.At(x, y)) {
				case paper:
					white++
				case color.RGBA{A: 0xff}:
				default:
					other++
				}
			}
		}
		return white > 500 && white < 20_000 && other == 0
	})
}

// TestRefusals: who may not come in is told so, and the target never hears of them.
func TestRefusals(t *testing.T) {
	for name, is := range map[string]struct{ target, token string }{
		"policy":         {"desk", shared.token(t, "agent:nobody", "guests")},
		"no token":       {"desk", "not-a-token"},
		"wrong password": {"wrong", shared.token(t, "agent:wrong", "ops")},
		"another server": {"stranger", shared.token(t, "agent:stranger", "ops")},
	} {
		t.Run(name, func(t *testing.T) {
			before := strings.Count(shared.xrdp.Logs(), "TLS connection established")
			c := shared.connect(t, is.target, is.token)
			notice(t)
			shared.presses(t, c)
			if code := c.code(); code == 0 || !strings.Contains(c.said(), denied) {
				t.Errorf("exit code %d, and it says\n%s", code, c.said())
			}
			if after := strings.Count(shared.xrdp.Logs(), "TLS connection established"); after != before {
				t.Errorf("the target was logged in to")
			}
		})
	}
}

// TestOtherSecurity: clients that do not do TLS, or do network level authentication only, are refused at once.
func TestOtherSecurity(t *testing.T) {
	for _, security := range []string{"rdp", "nla"} {
		c := shared.connect(t, "desk", shared.token(t, "agent:security", "ops"), "/sec:"+security)
		if code := c.code(); code == 0 {
			t.Errorf("%s: exit code 0\n%s", security, c.said())
		}
	}
}

// TestHold: a login that people decide about is a notice on the screen, and then the desktop.
func TestHold(t *testing.T) {
	c := shared.connect(t, "desk", shared.token(t, "agent:held", "held"))
	var list []struct{ ID string }
	await(t, "a hold", func() bool {
		list = nil
		return json.Unmarshal([]byte(shared.must(t, "approvals", "list", "--json")), &list) == nil && len(list) > 0
	})
	notice(t)
	shared.must(t, "approvals", "approve", list[0].ID, "--as", "user:dana@example.com", "--group", "leads")
	shared.desktop(t, c)
	c.close()

	c = shared.connect(t, "desk", shared.token(t, "agent:held-twice", "held"))
	await(t, "another hold", func() bool {
		list = nil
		return json.Unmarshal([]byte(shared.must(t, "approvals", "list", "--json")), &list) == nil && len(list) > 0
	})
	shared.must(t, "approvals", "deny", list[0].ID, "--as", "user:dana@example.com", "--group", "leads", "--reason", "not today")
	notice(t)
	shared.presses(t, c)
	if code := c.code(); code == 0 || !strings.Contains(c.said(), denied) {
		t.Errorf("exit code %d, and it says\n%s", code, c.said())
	}
}

// TestRevocation: a session ends when its token is revoked.
func TestRevocation(t *testing.T) {
	c := shared.connect(t, "desk", shared.token(t, "agent:revoked", "ops"))
	shared.desktop(t, c)
	shared.must(t, "token", "revoke", "--subject", "agent:revoked")
	if code := c.code(); code == 0 {
		t.Errorf("exit code %d, and it says\n%s", code, c.said())
	}
	if text := shared.must(t, "sessions", "replay", shared.last(t, "agent:revoked")); !strings.Contains(text, "closed: revoked") {
		t.Errorf("the replay:\n%s", text)
	}
}
