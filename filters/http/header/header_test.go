package header

import (
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mask"
)

func plan(t testing.TB) *mask.Plan {
	t.Helper()
	p, err := mask.Compile([]mask.Spec{{Name: "f", Fields: []string{"x-ssn", "sid", "token"}}, {Name: "t", Detectors: []string{"email", "api_key"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"x-ssn: 219":                                                     "x-ssn: [redacted]",
		"x-user: mallory@secret.example":                                 "x-user: [redacted]",
		"x-plain: hello":                                                 "",
		"content-type: text/html":                                        "",
		"cookie: a=1; sid=secret; b=2":                                   "cookie: a=1; sid=[redacted]; b=2",
		"cookie: u=mallory%40secret.example":                             "cookie: u=[redacted]",
		"set-cookie: SID=\"secret\"; Path=/; HttpOnly":                   "set-cookie: SID=[redacted]; Path=/; HttpOnly",
		"set-cookie: a=b; Path=/":                                        "",
		"location: https://x.example/cb?token=secret&n=1#k":              "location: https://x.example/cb?token=%5Bredacted%5D&n=1#k",
		"location: /cb#token=secret":                                     "location: /cb#token=%5Bredacted%5D",
		"location: /u/mallory@secret.example?q=mallory%40secret.example": "location: /u/[redacted]?q=%5Bredacted%5D",
		"location: /u?next=%2Fa%3Fm%3Dmallory%2540secret.example":        "location: /u?next=%2Fa%3Fm%3D%5Bredacted%5D",
		"link: <https://x.example/?token=secret>; rel=next":              "",
		"set-cookie: mallory@secret.example":                             "set-cookie: [redacted]",
		"www-authenticate: Basic realm=\"mallory@secret.example\"":       "www-authenticate: Basic realm=\"[redacted]\"",
		"x-a: password=k8Jd92mQp04xTz71":                                 "x-a: password=[redacted]",
	} {
		name, value, _ := strings.Cut(in, ": ")
		list := List{{name, value}}
		out, n := Mask(plan(t), list)
		if want == "" {
			want = in
		}
		got := out[0].Name + ": " + out[0].Value
		if strings.HasPrefix(in, "link") { // whatever it becomes, the secret is not in it
			if strings.Contains(got, "secret") {
				t.Error(got)
			}
			continue
		}
		if got != want || (n > 0) != (want != in) || list[0].Value != value {
			t.Errorf("%s became %s (%d), want %s", in, got, n, want)
		}
	}
	if out, n := Mask(nil, List{{"x-ssn", "1"}}); n != 0 || out[0].Value != "1" {
		t.Error("no plan masks something")
	}
}

func TestResponseAndRequest(t *testing.T) {
	out := Response(List{{"content-length", "7"}, {"etag", `"abc"`}, {"digest", "x"}, {"x", "y"}})
	if len(out) != 2 || out[0].Value != `"abc"` || out[1].Name != "x" {
		t.Error(out)
	}
	out = Request(List{{"range", "bytes=0-1"}, {"accept-encoding", "gzip;q=0.5, sdch, br, *"}, {"sec-websocket-extensions", "permessage-deflate"}, {"x", "y"}})
	if len(out) != 2 || out[0].Value != "gzip;q=0.5, br" {
		t.Error(out)
	}
	if out = Request(List{{"accept-encoding", "sdch"}}); out[0].Value != "identity" {
		t.Error(out)
	}
}

func TestList(t *testing.T) {
	l := List{{"a", "1"}, {"b", "x, close"}, {"a", "2"}}
	if l.Get("a") != "1" || l.Joined("a") != "1, 2" || l.Joined("b") != "x, close" || l.Joined("c") != "" || l.Count("a") != 2 || !l.Has("b", "Close") || l.Has("b", "x,") {
		t.Error("a list does not know what it has")
	}
}

func FuzzMask(f *testing.F) {
	f.Add("location", "/a?b=c@d.example&token=1#x=%zz")
	f.Add("cookie", "a=b; sid=1;;=")
	f.Add("set-cookie", "sid=\"a\"; x")
	p := plan(f)
	f.Fuzz(func(t *testing.T, name, value string) {
		out, n := Mask(p, List{{name, value}})
		if n == 0 && out[0].Value != value {
			t.Fatalf("%q became %q", value, out[0].Value)
		}
		if n > 0 && strings.ContainsAny(out[0].Value, "\r\n\x00") && !strings.ContainsAny(value, "\r\n\x00") {
			t.Fatalf("%q became %q", value, out[0].Value)
		}
	})
}
