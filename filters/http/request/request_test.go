package request

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"

	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/action"
)

func head(method, target string, fields ...string) Head {
	h := Head{Method: method, Scheme: "https", Authority: "API.example.com", Path: target}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		h.Headers = append(h.Headers, header.Field{Name: name, Value: value})
	}
	return h
}

func TestPaths(t *testing.T) {
	for in, want := range map[string]string{
		"/": "/", "/a/b": "/a/b", "/a/b/": "/a/b/", "/a/./b": "/a/b", "/a/../b": "/b", "/a/..": "/", "/a/.": "/a/", "/a/b/..": "/a/",
		"//a//b///c": "/a/b/c", "//": "/", "/%61%7e%2D": "/a~-", "/%2e%2E/a": "!", "/a/%2e%2e/b": "/b", "/a/%2e/b": "/a/b",
		"/%c3%a9": "/%C3%A9", "/a|b{c}": "/a%7Cb%7Bc%7D", "/a b": "!", "/a\tb": "!", "/é": "!", "/a%00": "!", "/a%0d%0aX: y": "!", "/a%0a": "!",
		"/a%": "!", "/a%4": "!", "/a%zz": "!", "/a#b": "!", `/a\b`: "!", "http://other/a": "!", "a": "!", "": "!", "*": "!", "/..": "!", "/a/../../b": "!",
		"/a/..%2fb": "!", "/a/%2e%2e%2fb": "!", "/a/..%5cb": "!", "/a/..;/b": "!", "/a/.;x=1/b": "!", "/a/..%3b/b": "!", "/%c0%ae%c0%ae/": "!", "/%ff": "!",
		"/a%2Fb": "/a%2Fb encoded_slash", "/a%5cb": "/a%5Cb encoded_slash", "/a;x=1/b": "/a;x=1/b ambiguous", "/a%252e%252e/b": "/a%252e%252e/b ambiguous",
		"/a%25": "/a%25", "/a%3Bb": "/a%3Bb ambiguous", "/a%EF%BC%8Fb": "/a%EF%BC%8Fb ambiguous", "/a?x=1": "/a", "/a:b@c!$&'()*+,=": "/a:b@c!$&'()*+,=",
		"/.a/..b/...": "/.a/..b/...", "/a?/../b": "/a",
	} {
		r, err := Parse(head("GET", in), Limits{})
		var refused *Refusal
		if want == "!" {
			if !errors.As(err, &refused) || refused.Status/100 != 4 {
				t.Errorf("%q passes: %v", in, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		got := r.Path
		for _, f := range []string{action.FeatureEncodedSlash, action.FeatureAmbiguous} {
			if r.Features[f] != nil {
				got += " " + f
			}
		}
		if got != want {
			t.Errorf("%q became %q, want %q (%v)", in, got, want, r.Features)
		}
	}
	if r, err := Parse(head("OPTIONS", "*"), Limits{}); err != nil || r.Target() != "*" {
		t.Error(err)
	}
}

func TestHeads(t *testing.T) {
	for name, c := range map[string]struct {
		head Head
		want string // "" passes, "!" is refused, or a feature
	}{
		"plain":                    {head("GET", "/", "accept: a/b", "cookie: a=b"), ""},
		"small letters":            {head("get", "/"), "!"},
		"no method":                {head("", "/"), "!"},
		"blank in the method":      {head("GET /x", "/"), "!"},
		"trace":                    {head("TRACE", "/"), "!"},
		"connect":                  {head("CONNECT", "/"), "!"},
		"two hosts":                {head("GET", "/", "host: other.example.com"), "!"},
		"the same host":            {head("GET", "/", "host: api.example.com"), ""},
		"two lengths":              {head("POST", "/", "content-length: 1", "content-length: 2"), "!"},
		"length with a sign":       {head("POST", "/", "content-length: +1"), "!"},
		"lengths in a list":        {head("POST", "/", "content-length: 1, 1"), "!"},
		"length and chunks":        {head("POST", "/", "content-length: 1", "transfer-encoding: chunked"), "!"},
		"other transfer coding":    {head("POST", "/", "transfer-encoding: gzip, chunked"), "!"},
		"odd transfer coding":      {head("POST", "/", "transfer-encoding: xchunked"), "!"},
		"two types":                {head("POST", "/", "content-type: a/b", "content-type: c/d"), "!"},
		"two credentials":          {head("GET", "/", "authorization: a", "authorization: b"), "!"},
		"line feed in a value":     {head("GET", "/", "x: a\nb: c"), "!"},
		"zero byte":                {head("GET", "/", "x: a\x00"), "!"},
		"blank in a name":          {head("GET", "/", "x y: a"), "!"},
		"colon in a name":          {Head{Method: "GET", Authority: "a", Path: "/", Headers: header.List{{Name: "x:y", Value: "a"}}}, "!"},
		"capital in a name":        {head("GET", "/", "X: a"), "!"},
		"override":                 {head("POST", "/", "x-http-method-override: DELETE"), "method_override"},
		"override with underscore": {head("POST", "/", "x_http_method_override: DELETE"), "method_override"},
		"override in the query":    {head("POST", "/?_method=DELETE"), "method_override"},
		"override, escaped":        {head("POST", "/?%5Fmethod=DELETE"), "method_override"},
		"other path":               {head("GET", "/", "x-original-url: /admin"), "ambiguous"},
		"other path, rewritten":    {head("GET", "/", "x-rewrite-url: /admin"), "ambiguous"},
		"underscore":               {head("POST", "/", "content_length: 7"), "ambiguous"},
		"websocket":                {head("GET", "/", "upgrade: WebSocket", "connection: upgrade"), "upgrade"},
		"h2c":                      {head("GET", "/", "upgrade: h2c"), "ambiguous"},
		"trailers":                 {head("POST", "/", "trailer: x-sum"), "trailers"},
		"range":                    {head("GET", "/", "range: bytes=0-1"), "range"},
		"semicolons":               {head("GET", "/?a=1;b=2"), "ambiguous"},
		"bad escape in a query":    {head("GET", "/?a=%zz"), "ambiguous"},
		"zero byte in a query":     {head("GET", "/?a%00=1"), "ambiguous"},
		"user in the host":         {Head{Method: "GET", Authority: "user@api.example.com", Path: "/"}, "!"},
		"slash in the host":        {Head{Method: "GET", Authority: "a/b", Path: "/"}, "!"},
		"bad port":                 {Head{Method: "GET", Authority: "a:8x", Path: "/"}, "!"},
		"IPv6":                     {Head{Method: "GET", Authority: "[::1]:80", Path: "/"}, ""},
		"IPv6 without brackets":    {Head{Method: "GET", Authority: "::1", Path: "/"}, "!"},
		"no host":                  {Head{Method: "GET", Path: "/"}, "!"},
		"long":                     {head("GET", "/"+strings.Repeat("a", 20000)), "!"},
		"many parameters":          {head("GET", "/?"+strings.Repeat("a&", 1000)), "!"},
		"many headers":             {head("GET", "/", strings.Split(strings.Repeat("x: y\n", 300), "\n")[:300]...), "!"},
	} {
		r, err := Parse(c.head, Limits{})
		switch {
		case c.want == "!":
			var refused *Refusal
			if !errors.As(err, &refused) {
				t.Errorf("%s passes", name)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && r.Features[c.want] == nil || c.want == "" && len(r.Features) > 0:
			t.Errorf("%s: %v", name, r.Features)
		}
	}
}

func TestHasBody(t *testing.T) {
	for _, c := range []struct {
		head Head
		want bool
	}{
		{head("GET", "/"), true}, {head("GET", "/", "content-length: 0"), false}, {head("GET", "/", "content-length: 5"), true}, {head("POST", "/"), true},
		{head("POST", "/", "content-length: 00"), false}, {head("GET", "/", "transfer-encoding: chunked"), true}, {head("GET", "/", "upgrade: websocket"), false},
		{head("POST", "/", "upgrade: websocket"), true}, {head("GET", "/", "upgrade: websocket", "content-length: 5"), true},
		{head("GET", "/", "upgrade: websocket", "transfer-encoding: chunked"), true},
	} {
		r, err := Parse(c.head, Limits{})
		if err != nil || r.HasBody() != c.want {
			t.Errorf("%+v: %v", c.head, err)
		}
	}
}

func TestAction(t *testing.T) {
	r, err := Parse(head("POST", "/users/7/./orders/550e8400-e29b-41d4-a716-446655440000?b=x+y&a=%41&a=2", "content-type: application/json", "authorization: secret", "x-tenant: t"), Limits{Select: []string{"X-Tenant", "authorization"}})
	if err != nil {
		t.Fatal(err)
	}
	a := r.Action(ReadBody("application/json", []byte(`{"role":"admin","n":1.50,"u":{"a/b":[true,null]}}`), Limits{}))
	var params []string
	for _, p := range a.Params {
		params = append(params, p.Name+"="+p.Value)
	}
	got := strings.Join(params, " ")
	want := "query/b=x y query/a=A query/a=2 header/content-type=application/json header/x-tenant=t body/role=admin body/n=1.50 body/u/a~1b/0=true body/u/a~1b/1=null"
	if got != want {
		t.Errorf("%s\n%s", got, want)
	}
	if a.Kind != "http" || a.Verbs[0] != "post" || len(a.Reads) != 0 || a.Writes[0].Schema != "api.example.com" || a.Writes[0].Name != "/users/7/orders/550e8400-e29b-41d4-a716-446655440000" {
		t.Errorf("%+v", a)
	}
	if a.Fingerprint != "POST api.example.com/users/{n}/orders/{uuid}?a&b" || a.Features["body"] != "json" || a.Features["dot_segments"] != true {
		t.Errorf("%q %v", a.Fingerprint, a.Features)
	}
	if r.Target() != "/users/7/orders/550e8400-e29b-41d4-a716-446655440000?b=x+y&a=%41&a=2" {
		t.Error(r.Target())
	}
	for in, want := range map[string]string{"/a/12": "/a/{n}", "/a/5f3e9c0a1b2c3d4e5f607182": "/a/{hash}", "/v1/items/A1b2C3d4E5f6G7h8I9": "/v1/items/{id}",
		"/a/order-2024-000123": "/a/{id}", "/health/live": "/health/live", "/api/v2/users": "/api/v2/users", "/oauth2/token": "/oauth2/token"} {
		if got := template(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestBodies(t *testing.T) {
	for _, c := range []struct{ typ, body, want string }{
		{"application/json", `{"a":1}`, "json a=1"},
		{"application/json; charset=utf-8", `[{"a":1},2]`, "json 0/a=1 1=2"},
		{"application/json", `{"a":1,"a":2}`, "json ambiguous"},
		{"application/json", `{"a":1,"A":2}`, "json ambiguous"},
		{"application/json", `{"a":1,"\u0061":2}`, "json ambiguous"},
		{"application/json", `{"a":1`, "json unparsed"},
		{"application/json", `{"a":1}}`, "json unparsed"},
		{"application/json", "{\"a\":\"\xff\"}", "json unparsed"},
		{"application/json", strings.Repeat("[", 100) + strings.Repeat("]", 100), "json body_too_large"},
		{"application/json; charset=utf-16", `{"a":1}`, "opaque unparsed"},
		{"text/plain", ` {"a":1}`, "json a=1"},
		{"", `{"a":1}`, "json a=1"},
		{"application/json, text/plain", `{"a":1}`, "json a=1 ambiguous"},
		{"text/plain", `hello`, "opaque opaque_body"},
		{"application/x-www-form-urlencoded", `a=1&b=%32`, "form a=1 b=2"},
		{"application/x-www-form-urlencoded", `a=1&_method=PUT`, "form a=1 _method=PUT method_override"},
		{"application/x-www-form-urlencoded", `{"a":1}`, "form {\"a\":1}= ambiguous"},
		{"application/x-www-form-urlencoded", `a=%zz`, "form a=%zz ambiguous"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.txt\"\r\nContent-Type: text/plain\r\n\r\nzzz\r\n--x--\r\n", "multipart a=1 f=n.txt files"},
		{"multipart/form-data; boundary=x", "junk\r\n--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n", "multipart opaque_body"},
		{"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64\r\n\r\n1\r\n--x--\r\n", "multipart unparsed"},
		{"multipart/form-data; boundary=x", "--x\r\nX: y\r\n\r\n1\r\n--x--", "multipart opaque_body"},
		{"multipart/mixed; boundary=x", "--x\r\n", "multipart opaque_body"},
		{"image/png", "\x89PNG", "opaque opaque_body"},
		{"application/json", "", "empty"},
		{"text/plain", strings.Repeat("x", 300<<10), "opaque body_too_large"},
	} {
		b := ReadBody(c.typ, []byte(c.body), Limits{})
		got := b.Features["body"].(string)
		for _, f := range b.Fields {
			got += " " + f.Name + "=" + f.Value
		}
		for _, f := range []string{"ambiguous", "unparsed", "opaque_body", "body_too_large", "method_override", "files"} {
			if b.Features[f] != nil {
				got += " " + f
			}
		}
		if got != c.want {
			t.Errorf("%s %.80q: %q, want %q", c.typ, c.body, got, c.want)
		}
	}
	gz := "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xaaVJT\xb22\xac\x05\x00\x00\x00\xff\xff\x03\x00"
	for enc, want := range map[string]string{"": "unparsed", "gzip": "unparsed", "compress": "unparsed", "identity": "unparsed"} {
		b := ReadCodedBody("application/json", enc, []byte(gz), Limits{})
		if b.Features[want] == nil {
			t.Errorf("%q: %v", enc, b.Features)
		}
	}
}

// Whatever comes is refused, or has one form that does not change again, in
// which no other reader sees another path.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/a/../b", "/%2e%2e/a", "/a%2fb", "//x//y", "/a;b/..", "/é", "/%c3%a9?q=%zz", "/a/b/..?x;y=1", "/.%2e/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		r, err := Parse(head("GET", target), Limits{})
		if err != nil {
			return
		}
		again, err := Parse(head("GET", r.Target()), Limits{})
		if err != nil || again.Path != r.Path || again.RawQuery != r.RawQuery {
			t.Fatalf("%q became %q, which becomes %q (%v)", target, r.Path, again.Path, err)
		}
		u, err := url.ParseRequestURI(r.Target())
		if err != nil {
			t.Fatalf("%q became %q: %v", target, r.Target(), err)
		}
		clean := path.Clean(u.Path)
		if strings.HasSuffix(u.Path, "/") && clean != "/" {
			clean += "/"
		}
		if r.Features[action.FeatureEncodedSlash] == nil && clean != u.Path {
			t.Fatalf("%q became %q, which net/url and path read as %q", target, r.Path, clean)
		}
		if strings.Contains(r.Path, "//") || strings.Contains(r.Path+"/", "/../") || strings.Contains(r.Path+"/", "/./") {
			t.Fatalf("%q became %q", target, r.Path)
		}
		r.Action(nil)
	})
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a=%41+b", "a;b=1", "%zz", "&&=", "a=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, q string) {
		pairs, what, ok := formPairs(q, 1000)
		if !ok || what != "" {
			return
		}
		values, err := url.ParseQuery(q)
		if err != nil {
			if strings.Contains(q, ";") { // net/url takes none at all; we take those that cannot part parameters
				return
			}
			t.Fatalf("%q: net/url says %v", q, err)
		}
		seen := map[string]int{}
		for _, p := range pairs {
			i := seen[p.Name]
			seen[p.Name]++
			if i >= len(values[p.Name]) || values[p.Name][i] != p.Value {
				t.Fatalf("%q: %v, net/url has %v", q, pairs, values)
			}
		}
		if len(seen) != len(values) {
			t.Fatalf("%q: %v, net/url has %v", q, pairs, values)
		}
	})
}

func FuzzBody(f *testing.F) {
	f.Add("application/json", []byte(`{"a":[1,{"b":"c"}]}`))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n"))
	f.Add("application/x-www-form-urlencoded", []byte(`a=1&b=%32`))
	f.Fuzz(func(t *testing.T, typ string, body []byte) {
		b := ReadBody(typ, body, Limits{})
		if b.Features["body"] == nil || len(b.Fields) > 512 {
			t.Fatalf("%v", b)
		}
		ReadCodedBody(typ, "gzip", body, Limits{})
	})
}
