package binding

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func binder(t testing.TB, key byte, owner ...string) *Binder {
	t.Helper()
	b, err := New(bytes.Repeat([]byte{key}, 32), owner...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBind(t *testing.T) {
	a := binder(t, 1, "target", "user:a")
	for _, id := range []string{"s1", "", "1868a90c-7f9e-4d0b-9c57-0d0f3c1c1e5b", "a.b.c", strings.Repeat("x", 4096)} {
		bound := a.Bind(Session, id)
		if got, ok := binder(t, 1, "target", "user:a").Unbind(Session, bound); !ok || got != id {
			t.Errorf("%q became %q, which is %q", id, bound, got)
		}
		for i := range len(bound) {
			if bound[i] <= ' ' || bound[i] >= 0x7F {
				t.Errorf("%q is not visible ASCII", bound)
			}
		}
		for name, other := range map[string]*Binder{"identity": binder(t, 1, "target", "user:b"), "target": binder(t, 1, "other", "user:a"),
			"actors": binder(t, 1, "target", "user:a", "agent:x"), "split": binder(t, 1, "targetu", "ser:a"), "key": binder(t, 2, "target", "user:a"), "none": nil} {
			if _, ok := other.Unbind(Session, bound); ok {
				t.Errorf("%s: another one's id is good: %q", name, bound)
			}
		}
		if _, ok := a.Unbind(Event, bound); ok {
			t.Error("a session's id is good for an event")
		}
	}
	good := a.Bind(Session, "s1")
	flipped := []byte(good)
	flipped[len(good)-3] ^= 1 // a whole character of the MAC
	for _, bad := range []string{"", ".", "s1", "s1.", good + "A", good + "=", good[:len(good)-1], "s2" + good[2:], good + ".", string(flipped), "s1." + good} {
		if id, ok := a.Unbind(Session, bad); ok {
			t.Errorf("%q is %q", bad, id)
		}
	}
	if _, err := New(nil, "x"); err == nil {
		t.Error("it works without a key")
	}
	if (*Binder)(nil).Bind(Session, "x") != "" || (*Binder)(nil).Seal("/", `"x"`) != "" {
		t.Error("no binder makes names")
	}
}

func TestSeal(t *testing.T) {
	a := binder(t, 1, "target", "user:a")
	for _, tag := range []string{`"v1"`, `W/"v1"`, `""`, `"66f1c2a5-267"`, `"a,b"`, "\"\xC3\xA4\""} {
		sealed := a.Seal("h /x", tag)
		if !strings.HasPrefix(sealed, `W/"dgm.`) || !valid(sealed) || sealed != a.Seal("h /x", tag) {
			t.Errorf("%s became %s", tag, sealed)
		}
		for _, form := range []string{sealed, sealed[2:]} {
			if got, ok := binder(t, 1, "target", "user:a").Open("h /x", form); !ok || got != tag {
				t.Errorf("%s: %q", form, got)
			}
		}
		for name, try := range map[string]func() (string, bool){
			"place":    func() (string, bool) { return a.Open("h /y", sealed) },
			"identity": func() (string, bool) { return binder(t, 1, "target", "user:b").Open("h /x", sealed) },
			"key":      func() (string, bool) { return binder(t, 2, "target", "user:a").Open("h /x", sealed) },
			"cut":      func() (string, bool) { return a.Open("h /x", sealed[:len(sealed)-2]+`"`) },
			"plain":    func() (string, bool) { return a.Open("h /x", tag) },
			"empty":    func() (string, bool) { return a.Open("h /x", `"dgm."`) },
			"none":     func() (string, bool) { return (*Binder)(nil).Open("h /x", sealed) },
		} {
			if got, ok := try(); ok {
				t.Errorf("%s: %s is %s", name, sealed, got)
			}
		}
		// The same tag elsewhere looks otherwise: making a document of one's own tells nothing of another.
		if sealed == a.Seal("h /y", tag) || sealed == binder(t, 1, "target", "user:b").Seal("h /x", tag) {
			t.Error("tags of two places can be compared")
		}
	}
	for _, bad := range []string{"", "v1", `"`, `"a" "b"`, `"a`, `w/"a"`, `"a b"`, `"` + strings.Repeat("x", maxTag) + `"`, "*"} {
		if got := a.Seal("/", bad); got != "" {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestTags(t *testing.T) {
	for in, want := range map[string][]string{`"a"`: {`"a"`}, ` "a" , W/"b,c",,"" `: {`"a"`, `W/"b,c"`, `""`}, "*": nil, "": nil, ",": nil, `"a" "b"`: nil, `"a`: nil, `a`: nil, `"a";"b"`: nil} {
		if got, ok := Tags(in); ok != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	b := binder(f, 1, "t", "u")
	f.Add(b.Bind(Session, "s"), b.Seal("/", `"v"`))
	f.Add("a.b", `"a", W/"dgm.AAAA"`)
	f.Fuzz(func(t *testing.T, id, list string) {
		if got, ok := b.Unbind(Session, id); ok && b.Bind(Session, got) != id {
			t.Fatalf("%q and %q are both the name of %q", id, b.Bind(Session, got), got)
		}
		if got, ok := b.Unbind(Session, b.Bind(Session, id)); !ok || got != id {
			t.Fatal(id)
		}
		tags, ok := Tags(list)
		for _, tag := range tags {
			if !ok || !valid(tag) {
				t.Fatalf("%q of %q", tag, list)
			}
			if got, ok := b.Open("/", tag); ok && !strings.HasSuffix(tag, strings.TrimPrefix(b.Seal("/", got), "W/")) {
				t.Fatalf("%q is %q", tag, got)
			}
			if len(tag) <= maxTag {
				if got, ok := b.Open("/", b.Seal("/", tag)); !ok || got != tag {
					t.Fatal(tag)
				}
			}
		}
	})
}
