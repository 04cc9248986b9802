// Package rdpkeys knows the keys of a PC keyboard by their scan codes (set 1, as RDP sends them): which of them
// type characters, how a record leaves those out, and what was typed, as text. It knows the US layout; what a
// key types with another one is not in the protocol, but in the target's settings.
package rdpkeys

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// Hidden is the scan code in a record of a key that types a character which is not told. No key has it.
const Hidden = 0

// hiddenUnit is the UTF-16 unit in its place.
const hiddenUnit = '*'

// plain and shifted are what keys type, by scan code from 2 on; 0 is a key that types nothing.
const (
	plain   = "1234567890-=\x00\x00qwertyuiop[]\x00\x00asdfghjkl;'`\x00\\zxcvbnm,./\x00*\x00 "
	shifted = "!@#$%^&*()_+\x00\x00QWERTYUIOP{}\x00\x00ASDFGHJKL:\"~\x00|ZXCVBNM<>?\x00*\x00 "
	first   = 2
	// The keypad's digits, with num lock.
	keypad      = "789-456+1230."
	firstKeypad = 0x47
	oem102      = 0x56 // the key beside the left shift of other than US keyboards
	oemABNT     = 0x73
)

// names are keys that type nothing, by scan code; the second list is of extended ones.
var (
	names = map[uint16]string{0x01: "Esc", 0x0e: "Backspace", 0x0f: "Tab", 0x1c: "Enter", 0x1d: "Ctrl", 0x2a: "Shift", 0x36: "Shift", 0x38: "Alt",
		0x3a: "CapsLock", 0x45: "NumLock", 0x46: "ScrollLock", 0x57: "F11", 0x58: "F12"}
	extended = map[uint16]string{0x1c: "Enter", 0x1d: "Ctrl", 0x38: "AltGr", 0x47: "Home", 0x48: "Up", 0x49: "PageUp", 0x4b: "Left", 0x4d: "Right",
		0x4f: "End", 0x50: "Down", 0x51: "PageDown", 0x52: "Insert", 0x53: "Delete", 0x5b: "Win", 0x5c: "Win", 0x5d: "Menu", 0x37: "PrintScreen"}
)

// char is what a key types; 0 when it types nothing.
func char(in rdpwire.Input, shift bool) rune {
	if in.Extended || in.Extended1 {
		if in.Extended && in.Code == 0x35 {
			return '/' // of the keypad
		}
		return 0
	}
	switch i := int(in.Code) - first; {
	case in.Code == oem102 || in.Code == oemABNT:
		return '\\'
	case i >= 0 && i < len(plain) && plain[i] != 0:
		if shift {
			return rune(shifted[i])
		}
		return rune(plain[i])
	}
	if i := int(in.Code) - firstKeypad; i >= 0 && i < len(keypad) {
		return rune(keypad[i])
	}
	return 0
}

// Hide gives events as a record keeps them where characters are not told: that a key was pressed, and when, but not
// which. Keys that type nothing, and the mouse, stay. A key that this package does not know is hidden, too.
func Hide(events []rdpwire.Input) []rdpwire.Input {
	out := make([]rdpwire.Input, len(events))
	for i, in := range events {
		switch {
		case in.Kind == rdpwire.InputUnicode:
			in.Code = hiddenUnit
		case in.Kind == rdpwire.InputKey && name(in) == "":
			in = rdpwire.Input{Kind: in.Kind, Release: in.Release, Code: Hidden}
		}
		out[i] = in
	}
	return out
}

// name is that of a key that types nothing; "" for others.
func name(in rdpwire.Input) string {
	switch {
	case in.Extended1:
		return ""
	case in.Extended:
		return extended[in.Code]
	case in.Code >= 0x3b && in.Code <= 0x44:
		return "F" + strconv.Itoa(int(in.Code)-0x3a)
	}
	return names[in.Code]
}

// Typist follows keys and says what they type: characters as they are, other keys in angle brackets (<Enter>, <Ctrl+C>),
// hidden ones as a bullet.
type Typist struct {
	shift, ctrl, alt, win, caps bool
	high                        uint16 // the first half of a surrogate pair
}

// Type takes one event and gives its text, "" when it has none.
func (t *Typist) Type(in rdpwire.Input) string {
	switch in.Kind {
	case rdpwire.InputSync:
		const capsLock = 4
		t.caps = in.Code&capsLock != 0
		return ""
	case rdpwire.InputUnicode:
		return t.unit(in)
	case rdpwire.InputKey:
	default:
		return ""
	}
	if t.modifier(in) || in.Release {
		return ""
	}
	if n := name(in); n != "" {
		if n == "CapsLock" {
			t.caps = !t.caps
		}
		return t.with(n)
	}
	if in.Code == Hidden {
		if t.ctrl || t.alt || t.win {
			return t.with("•")
		}
		return "•"
	}
	r := char(in, t.shift)
	switch {
	case r == 0:
		return t.with("key " + strconv.FormatUint(uint64(in.Code), 16))
	case t.ctrl || t.alt || t.win:
		return t.with(strings.ToUpper(string(r)))
	case t.caps && t.shift:
		return strings.ToLower(string(r))
	case t.caps:
		return strings.ToUpper(string(r))
	}
	return string(r)
}

func (t *Typist) unit(in rdpwire.Input) string {
	switch {
	case in.Release:
		return ""
	case utf16.IsSurrogate(rune(in.Code)) && t.high == 0:
		t.high = in.Code
		return ""
	case t.high != 0:
		r := utf16.DecodeRune(rune(t.high), rune(in.Code))
		t.high = 0
		return string(r)
	}
	return string(rune(in.Code))
}

// modifier notes a key that changes what others do.
func (t *Typist) modifier(in rdpwire.Input) bool {
	var which *bool
	switch name(in) {
	case "Shift":
		which = &t.shift
	case "Ctrl":
		which = &t.ctrl
	case "Alt", "AltGr":
		which = &t.alt
	case "Win":
		which = &t.win
	default:
		return false
	}
	*which = !in.Release
	return true
}

// with is a key in brackets, with the modifiers that are held.
func (t *Typist) with(key string) string {
	var b strings.Builder
	for _, m := range []struct {
		held bool
		name string
	}{{t.ctrl, "Ctrl+"}, {t.alt, "Alt+"}, {t.win, "Win+"}, {t.shift && !t.ctrl && !t.alt && len(key) > 1, "Shift+"}} {
		if m.held {
			b.WriteString(m.name)
		}
	}
	return "<" + b.String() + key + ">"
}

// Typed are the events that type ASCII text on a US keyboard; a line's end is Enter. Characters that it has no key for are left out.
func Typed(text string) (out []rdpwire.Input) {
	const shift, enter = 0x2a, 0x1c
	key := func(code uint16, release bool) {
		out = append(out, rdpwire.Input{Kind: rdpwire.InputKey, Code: code, Release: release})
	}
	for _, r := range text {
		at, with := strings.IndexRune(plain, r), false
		if at < 0 {
			at, with = strings.IndexRune(shifted, r), true
		}
		code := uint16(at + first)
		switch {
		case r == '\n':
			code, with = enter, false
		case at < 0 || r == 0:
			continue
		}
		if with {
			key(shift, false)
		}
		key(code, false)
		key(code, true)
		if with {
			key(shift, true)
		}
	}
	return out
}
