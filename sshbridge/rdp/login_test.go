package rdp

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// TestTokens: a token is the password, or its first part is the domain, as it is for clients that take no long password.
func TestTokens(t *testing.T) {
	for _, is := range []struct{ domain, password, want string }{
		{"", "eyJhead.tail", "eyJhead.tail"}, {"eyJhead", ".tail", "eyJhead.tail"}, {"CORP", "eyJhead.tail", "eyJhead.tail"}, {"eyJhead.tail", "", "eyJhead.tail"},
	} {
		c := &conn{info: rdpwire.Info{Domain: is.domain, Password: is.password}}
		if got := c.token(); got != is.want {
			t.Errorf("%q %q: %q", is.domain, is.password, got)
		}
		if c.info.Password != "" || strings.HasPrefix(c.info.Domain, tokenHead) {
			t.Error("it is kept")
		}
	}
	long := strings.Repeat("x", 8000) // what FreeRDP sends, and no more
	if got, err := rdpwire.ParseInfo(rdpwire.AppendInfo(nil, rdpwire.Info{Domain: long[:255], User: "desk", Password: long})); err != nil || got.Password != long || got.Domain != long[:255] {
		t.Errorf("%d and %d characters: %v", len(got.Domain), len(got.Password), err)
	}
	if _, err := rdpwire.ParseInfo(rdpwire.AppendInfo(nil, rdpwire.Info{Password: long + long})); err == nil {
		t.Error("a password of 16,000 characters is taken")
	}
}
