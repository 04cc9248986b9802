package rdpkeys

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// key presses and releases keys by scan code.
func key(codes ...uint16) (out []rdpwire.Input) {
	for _, c := range codes {
		out = append(out, rdpwire.Input{Kind: rdpwire.InputKey, Code: c}, rdpwire.Input{Kind: rdpwire.InputKey, Code: c, Release: true})
	}
	return out
}

func typed(events ...[]rdpwire.Input) string {
	var t Typist
	var b strings.Builder
	for _, list := range events {
		for _, in := range list {
			b.WriteString(t.Type(in))
		}
	}
	return b.String()
}

func held(code uint16, inner []rdpwire.Input) []rdpwire.Input {
	down := rdpwire.Input{Kind: rdpwire.InputKey, Code: code}
	up := down
	up.Release = true
	return append(append([]rdpwire.Input{down}, inner...), up)
}

func TestTypist(t *testing.T) {
	const shift, ctrl, caps, enter = 0x2a, 0x1d, 0x3a, 0x1c
	emoji := []rdpwire.Input{{Kind: rdpwire.InputUnicode, Code: 0xd83d}, {Kind: rdpwire.InputUnicode, Code: 0xde00}, {Kind: rdpwire.InputUnicode, Code: 0xde00, Release: true}}
	for want, events := range map[string][]rdpwire.Input{
		"ls<Enter>":    key(0x26, 0x1f, enter),
		"A!a":          append(held(shift, key(0x1e, 2)), key(0x1e)...),
		"<Ctrl+C>":     held(ctrl, key(0x2e)),
		"<CapsLock>A1": key(caps, 0x1e, 2),
		"😀":            emoji,
		"<Up>":         {{Kind: rdpwire.InputKey, Code: 0x48, Extended: true}},
		"/ \\":         append([]rdpwire.Input{{Kind: rdpwire.InputKey, Code: 0x35, Extended: true}}, key(0x39, 0x56)...),
	} {
		if got := typed(events); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestHide: no event that is recorded tells which character was typed, whatever the key.
func TestHide(t *testing.T) {
	seen := map[rdpwire.Input]bool{}
	for code := range uint16(256) {
		for _, in := range []rdpwire.Input{{Kind: rdpwire.InputKey, Code: code}, {Kind: rdpwire.InputUnicode, Code: code}, {Kind: rdpwire.InputKey, Code: code, Extended: true},
			{Kind: rdpwire.InputKey, Code: code, Extended1: true}} {
			out := Hide([]rdpwire.Input{in})[0]
			types := in.Kind == rdpwire.InputUnicode || char(in, false) != 0
			if types && out == in && in.Code != hiddenUnit {
				t.Errorf("%+v is recorded", in)
			}
			if types {
				seen[out] = true
			}
		}
	}
	if len(seen) != 2 { // a hidden key, and a hidden unit
		t.Errorf("what types a character is recorded in %d ways: %v", len(seen), seen)
	}
	if got := typed(Hide(key(0x1e, 0x1c))); got != "•<Enter>" {
		t.Errorf("%q", got)
	}
	mouse := rdpwire.Input{Kind: rdpwire.InputMouse, Flags: 0x9000, X: 3, Y: 4}
	if got := Hide([]rdpwire.Input{mouse}); got[0] != mouse {
		t.Errorf("%+v", got)
	}
}

// TestTyped: what is typed is read back.
func TestTyped(t *testing.T) {
	if got := typed(Typed("Echo k-1 > /tmp/x_Y | tr '!' \"*\"\n\x00é")); got != "Echo k-1 > /tmp/x_Y | tr '!' \"*\"<Enter>" {
		t.Errorf("%q", got)
	}
}
