package httpcred

import (
	"testing"

	"dragoman.dev/dragoman/internal/identity"
)

func TestImpersonation(t *testing.T) {
	id := identity.New("user:alice", "agent:a")
	id.Groups = []string{"devs", "system:masters", "System:masters", "bad\r\nx: y", "sre"}
	got, err := impersonation(Session{ID: "ses_1", Identity: id})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"impersonate-user: agent:a", "impersonate-group: devs", "impersonate-group: sre",
		"impersonate-extra-dragoman.dev%2fsession: ses_1", "impersonate-extra-dragoman.dev%2fon-behalf-of: user:alice",
		"impersonate-extra-dragoman.dev%2factor: user:alice", "impersonate-extra-dragoman.dev%2factor: agent:a"}
	if len(got) != len(want) {
		t.Fatal(got)
	}
	for i, w := range want {
		if s := got[i].Name + ": " + got[i].Value; s != w {
			t.Errorf("%q, want %q", s, w)
		}
	}
	for _, bad := range []string{"system:admin", "System:admin", "a\nb", " a", "ü", ""} {
		if got, err := impersonation(Session{Identity: identity.New(bad)}); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
