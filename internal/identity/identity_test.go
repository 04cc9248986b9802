package identity

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	deep := strings.Split(strings.Repeat("a ", MaxDepth+1), " ")[:MaxDepth+1]
	for name, c := range map[string]struct {
		id Identity
		ok bool
	}{
		"zero":          {Identity{}, false},
		"one":           {New("user:a"), true},
		"chain":         {New("user:a", "agent:b"), true},
		"deepest":       {New(deep[:MaxDepth]...), true},
		"too deep":      {New(deep...), false},
		"wrong end":     {Identity{Subject: "a", Actors: []string{"a", "b"}, OnBehalfOf: "a"}, false},
		"wrong start":   {Identity{Subject: "b", Actors: []string{"a", "b"}, OnBehalfOf: "c"}, false},
		"hidden start":  {Identity{Subject: "b", Actors: []string{"a", "b"}}, false},
		"alone, for":    {Identity{Subject: "a", Actors: []string{"a"}, OnBehalfOf: "b"}, false},
		"empty actor":   {New("", "b"), false},
		"many groups":   {Identity{Subject: "a", Actors: []string{"a"}, Groups: make([]string, MaxGroups+1)}, false},
		"bidi group":    {Identity{Subject: "a", Actors: []string{"a"}, Groups: []string{"x\u202e"}}, false},
		"invalid group": {Identity{Subject: "a", Actors: []string{"a"}, Groups: []string{"\xff"}}, false},
		"unicode group": {Identity{Subject: "a", Actors: []string{"a"}, Groups: []string{"Büro Köln"}}, true},
	} {
		if err := c.id.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a b", "a%20b")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := Escape(a), Escape(b)
		if a != b && x == y {
			t.Fatalf("%q and %q become one", a, b)
		}
		if a != "" && len(x) <= MaxName && CheckName(x) != nil {
			t.Fatalf("%q", x)
		}
	})
}

func TestCovers(t *testing.T) {
	at := time.Unix(1000, 0)
	p := Proof{Identity: New("user:Alice", "agent:b"), Issued: at}
	p.Identity.TokenID = "t"
	for name, c := range map[string]struct {
		r    Revocation
		p    Proof
		want bool
	}{
		"id":             {Revocation{TokenID: "t"}, p, true},
		"other id":       {Revocation{TokenID: "u"}, p, false},
		"nothing":        {Revocation{At: at}, Proof{Identity: New("a")}, false},
		"principal":      {Revocation{Subject: "user:alice", At: at}, p, true},
		"actor":          {Revocation{Subject: "agent:b", At: at}, p, true},
		"stranger":       {Revocation{Subject: "agent:c", At: at}, p, false},
		"before issue":   {Revocation{Subject: "agent:b", At: at.Add(-1)}, p, false},
		"no issue time":  {Revocation{Subject: "agent:b", At: at}, Proof{Identity: p.Identity}, true},
		"id, any time":   {Revocation{TokenID: "t", At: at.Add(-1)}, p, true},
		"empty token id": {Revocation{Subject: "x", At: at}, Proof{Identity: New("a")}, false},
	} {
		if got := c.r.Covers(c.p); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// stubs stand for issuers whose answer is not the matter here.
type fixed struct {
	iss string
	p   Proof
}

func (f fixed) Issuer() string                                { return f.iss }
func (f fixed) Verify(context.Context, string) (Proof, error) { return f.p, nil }
func (f fixed) Identify(string, string) (Proof, error)        { return f.p, nil }

type noneRevoked struct{}

func (noneRevoked) Check(context.Context, Proof) error { return nil }
func (noneRevoked) Subscribe(func(Revocation)) func()  { return func() {} }

func TestAuthenticator(t *testing.T) {
	if _, err := NewAuthenticator([]Verifier{fixed{iss: "a"}, fixed{iss: "a"}}, nil, noneRevoked{}); err == nil {
		t.Error("two verifiers for one issuer")
	}
	if _, err := NewAuthenticator(nil, nil, nil); err == nil {
		t.Error("no revocations")
	}
	a, err := NewAuthenticator([]Verifier{fixed{iss: "a"}, fixed{iss: "b", p: Proof{Identity: New("user:b")}}}, fixed{p: Proof{Identity: New("cert")}}, noneRevoked{})
	if err != nil {
		t.Fatal(err)
	}
	tok := func(claims string) string { return "eyJhbGciOiJFUzI1NiJ9." + claims + ".AAAA" } // {"alg":"ES256"}
	const issA, issB, issC = "eyJpc3MiOiJhIn0", "eyJpc3MiOiJiIn0", "eyJpc3MiOiJjIn0"        // {"iss":"a"} …
	for name, c := range map[string]struct {
		c    Credential
		want string
		r    Reason
	}{
		"nothing":                      {Credential{}, "", ReasonMissing},
		"certificate":                  {Credential{SPIFFE: "x"}, "cert", ""},
		"token":                        {Credential{Token: tok(issB)}, "user:b", ""},
		"token wins":                   {Credential{Token: tok(issB), SPIFFE: "x"}, "user:b", ""},
		"bad token, good certificate":  {Credential{Token: "x", SPIFFE: "x"}, "", ReasonMalformed},
		"unknown issuer":               {Credential{Token: tok(issC)}, "", ReasonIssuer},
		"a verifier that says nothing": {Credential{Token: tok(issA)}, "", ReasonClaims},
	} {
		p, err := a.Authenticate(t.Context(), c.c)
		if p.Identity.Subject != c.want || ReasonOf(err) != c.r || (c.r == "") != (err == nil) {
			t.Errorf("%s: %q %v", name, p.Identity.Subject, err)
		}
	}
}
