package request

import (
	"slices"
	"strings"

	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/action"
)

// DefaultSelect are the header fields that become parameters.
var DefaultSelect = []string{"accept", "content-type", "content-encoding", "prefer", "range", "if-match", "if-none-match", "origin", "x-requested-with"}

// class is what a header field is, by its name.
type class uint8

const (
	single   class = 1 << iota // a message has at most one
	secret                     // carries credentials: never becomes a parameter
	selected                   // becomes a parameter
)

var classes = func() map[string]class {
	m := map[string]class{}
	for _, name := range []string{"authorization", "proxy-authorization", "content-length", "content-type", "content-encoding", "host", "origin",
		"content-range", "from", "if-range", "max-forwards", "range", "referer", "user-agent", "transfer-encoding",
		"mcp-session-id", "last-event-id", "mcp-protocol-version"} {
		m[name] |= single
	}
	for _, name := range []string{"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-auth-token", "x-amz-security-token"} {
		m[name] |= secret
	}
	for _, name := range DefaultSelect {
		m[name] |= selected
	}
	return m
}()

// fields checks the header fields and notes what is odd about them.
func (r *Request) fields(l header.List) error {
	if len(l) > r.lim.Headers {
		return &Refusal{431, "many_headers", "there are too many header fields"}
	}
	for i := range l {
		if !validName(l[i].Name) || !validValue(l[i].Value) {
			return refuse("bad_header", "a header field has a character that may not be there")
		}
		c := classes[l[i].Name]
		if c&single != 0 && l.Count(l[i].Name) > 1 {
			return refuse("duplicate_header", "the header field "+l[i].Name+" is there more than once")
		}
		r.field(l[i], c)
	}
	te, n := l.Get("transfer-encoding"), l.Get("content-length")
	switch {
	case te != "" && n != "":
		return refuse("framing", "content-length and transfer-encoding exclude each other")
	case te != "" && !strings.EqualFold(strings.TrimSpace(te), "chunked"):
		return &Refusal{501, "framing", "the only transfer coding is chunked"}
	case n != "" && (strings.Trim(n, "0123456789") != "" || len(n) > 18):
		return refuse("framing", "content-length is not a number")
	}
	return nil
}

// field notes what one field means for the action.
func (r *Request) field(f header.Field, c class) {
	name := f.Name
	if strings.IndexByte(name, '_') >= 0 {
		name = strings.ReplaceAll(name, "_", "-") // CGI and its heirs do not tell them apart
		if classes[name]&(single|secret) != 0 {
			c |= secret
			r.ambiguous("header field with an underscore")
		}
	}
	switch name {
	case "x-http-method-override", "x-http-method", "x-method-override":
		r.Features[action.FeatureMethodOverride] = f.Value
	case "x-original-url", "x-rewrite-url", "x-override-url", "x-original-uri":
		r.ambiguous("a header field that may change the path")
	case "upgrade":
		r.Upgrade = strings.ToLower(strings.TrimSpace(f.Value))
		r.Features[action.FeatureUpgrade] = r.Upgrade
	case "trailer":
		r.Features[action.FeatureTrailers] = true
	case "range":
		r.Features["range"] = true
	case "prefer":
		r.Async = r.Async || header.List{f}.Has("prefer", "respond-async")
	}
	if c&secret == 0 && (c&selected != 0 || len(r.lim.Select) > 0 &&
		slices.ContainsFunc(r.lim.Select, func(s string) bool { return strings.EqualFold(s, f.Name) })) {
		r.selected = append(r.selected, Pair(f))
	}
}

func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		if b := s[i]; !(b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0) {
			return false
		}
	}
	return s != ""
}

func validValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if b := s[i]; b < ' ' && b != '\t' || b == 0x7F {
			return false
		}
	}
	return true
}

// authority normalises host and port, and refuses what could name another.
func (r *Request) authority(a string) error {
	a = strings.ToLower(a)
	if a == "" || len(a) > 300 {
		return refuse("bad_authority", "the host is missing or too long")
	}
	for i := 0; i < len(a); i++ {
		if b := a[i]; !(b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || strings.IndexByte("-._:[]", b) >= 0) {
			return refuse("bad_authority", "the host has a character that may not be there")
		}
	}
	host, port := a, ""
	if i := strings.LastIndexByte(a, ':'); i > strings.LastIndexByte(a, ']') {
		host, port = a[:i], a[i:]
		if port == ":" || len(port) > 6 || strings.Trim(port[1:], "0123456789") != "" {
			return refuse("bad_authority", "the port is not a number")
		}
	}
	if v6 := strings.HasPrefix(host, "["); v6 != strings.HasSuffix(host, "]") || !v6 && strings.ContainsAny(host, ":[]") || host == "" {
		return refuse("bad_authority", "the host is malformed")
	}
	if h := r.headers.Get("host"); h != "" && !strings.EqualFold(h, a) {
		return refuse("bad_authority", "host and :authority differ")
	}
	r.Authority = strings.TrimSuffix(host, ".") + port
	return nil
}
