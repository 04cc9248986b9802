package token

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/identity"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forge signs any header and payload with a key.
func forge(key ed25519.PrivateKey, header, payload string) string {
	in := b64(header) + "." + b64(payload)
	return in + "." + b64(string(ed25519.Sign(key, []byte(in))))
}

// Every entry is signed with our real key unless it says otherwise: the
// signature alone must not be enough.
func TestAttacks(t *testing.T) {
	r := newRig(t)
	auth, err := identity.NewAuthenticator([]identity.Verifier{r.Issuer}, nil, r.store)
	if err != nil {
		t.Fatal(err)
	}
	good, is := r.mint(t, MintRequest{Subject: "agent:b", OnBehalfOf: "user:a"})
	kid, key := privateOf(t, r.keys)
	_, foreign, _ := ed25519.GenerateKey(nil)
	now := r.clock.now().Unix()
	head := fmt.Sprintf(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":%q}`, kid)
	body := func(change string) string { // change replaces that claim; ":absent" removes it
		base := []struct{ k, v string }{{"iss", `"dragoman"`}, {"sub", `"user:a"`}, {"aud", `"dragoman"`}, {"groups", `[]`},
			{"jti", `"` + is.Identity.TokenID + `"`}, {"iat", fmt.Sprint(now)}, {"nbf", fmt.Sprint(now)}, {"exp", fmt.Sprint(now + 60)}}
		var b strings.Builder
		for _, kv := range base {
			if !strings.HasPrefix(change, `"`+kv.k+`":`) {
				fmt.Fprintf(&b, `%q:%s,`, kv.k, kv.v)
			}
		}
		if strings.HasSuffix(change, ":absent") {
			change = ""
		}
		return "{" + strings.TrimSuffix(b.String()+change, ",") + "}"
	}
	parts := strings.Split(good, ".")
	mac := hmac.New(sha256.New, key.Public().(ed25519.PublicKey))
	hs := b64(`{"alg":"HS256","typ":"dragoman+jwt","kid":"`+kid+`"}`) + "." + parts[1]
	mac.Write([]byte(hs))
	deep := `"act":` + strings.Repeat(`{"sub":"a","act":`, identity.MaxDepth) + `{"sub":"a"}` + strings.Repeat("}", identity.MaxDepth)
	with := func(header string) string { return forge(key, header, body("")) }
	claims := func(change string) string { return forge(key, head, body(change)) }

	if _, err := auth.Authenticate(t.Context(), identity.Credential{Token: claims("")}); err != nil {
		t.Fatalf("the forge itself is wrong: %v", err)
	}
	for name, raw := range map[string]string{
		"exp missing":            claims(`"exp":absent`),
		"iat missing":            claims(`"iat":absent`),
		"jti missing":            claims(`"jti":absent`),
		"sub missing":            claims(`"sub":absent`),
		"iss missing":            claims(`"iss":absent`),
		"alg none":               b64(`{"alg":"none"}`) + "." + parts[1] + ".",
		"alg none with sig":      with(`{"alg":"none","typ":"dragoman+jwt","kid":"` + kid + `"}`),
		"alg NoNe":               with(`{"alg":"NoNe","typ":"dragoman+jwt","kid":"` + kid + `"}`),
		"HS256 with public key":  hs + "." + b64(string(mac.Sum(nil))),
		"alg missing":            with(`{"typ":"dragoman+jwt","kid":"` + kid + `"}`),
		"alg RS256":              with(`{"alg":"RS256","typ":"dragoman+jwt","kid":"` + kid + `"}`),
		"foreign key, our kid":   forge(foreign, head, body("")),
		"kid path":               with(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":"../../../../dev/null"}`),
		"kid sql":                with(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":"' OR 1=1 --"}`),
		"kid empty":              with(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":""}`),
		"kid number":             with(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":1}`),
		"kid long":               with(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":"` + strings.Repeat("a", 300) + `"}`),
		"jwk in header":          with(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":"` + kid + `","jwk":{}}`),
		"jku in header":          with(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":"` + kid + `","jku":"https://evil"}`),
		"crit":                   with(`{"alg":"EdDSA","typ":"dragoman+jwt","kid":"` + kid + `","crit":["b64"],"b64":true}`),
		"typ JWT":                with(`{"alg":"EdDSA","typ":"JWT","kid":"` + kid + `"}`),
		"duplicate header key":   with(`{"alg":"EdDSA","alg":"EdDSA","typ":"dragoman+jwt","kid":"` + kid + `"}`),
		"wrong aud":              claims(`"aud":"other"`),
		"aud in other case":      claims(`"aud":"Dragoman"`),
		"aud missing":            claims(`"aud":absent`),
		"aud object":             claims(`"aud":{"dragoman":1}`),
		"confused issuer":        claims(`"iss":"https://accounts.example.com"`),
		"issuer with slash":      claims(`"iss":"dragoman/"`),
		"issuer list":            claims(`"iss":["dragoman"]`),
		"expired":                claims(fmt.Sprintf(`"exp":%d`, now-1)),
		"exp as text":            claims(`"exp":"9999999999"`),
		"exp null":               claims(`"exp":null`),
		"exp huge":               claims(`"exp":1e400`),
		"exp far":                claims(fmt.Sprintf(`"exp":%d`, now+30*86400)),
		"exp negative":           claims(`"exp":-1`),
		"nbf in future":          claims(fmt.Sprintf(`"nbf":%d`, now+120)),
		"iat in future":          claims(fmt.Sprintf(`"iat":%d`, now+59)),
		"iat zero":               claims(`"iat":0`),
		"unknown jti":            claims(`"jti":"tok_01ARYZ6S41TSV4RRFFQ69G5FAV"`),
		"jti number":             claims(`"jti":7`),
		"act too deep":           claims(deep),
		"act text":               claims(`"act":"agent:x"`),
		"act null":               claims(`"act":null`),
		"act without sub":        claims(`"act":{}`),
		"sub empty":              claims(`"sub":""`),
		"sub list":               claims(`"sub":["user:a"]`),
		"sub NUL":                claims(`"sub":"user:a\u0000"`),
		"sub newline":            claims(`"sub":"user:a\nDROP"`),
		"sub comment":            claims(`"sub":"user:a*/"`),
		"sub chain mark":         claims(`"sub":"user:a>agent:b"`),
		"duplicate claim":        forge(key, head, strings.Replace(body(""), `"sub":`, `"sub":"user:root","sub":`, 1)),
		"duplicate claim case":   forge(key, head, strings.Replace(body(""), `"sub":`, `"Sub":"user:root","sub":`, 1)),
		"duplicate claim escape": forge(key, head, strings.Replace(body(""), `"sub":`, `"\u0073ub":"user:root","sub":`, 1)),
		"groups text in list":    claims(`"groups":[1]`),
		"groups object":          claims(`"groups":{"a":1}`),
		"unknown cnf":            claims(`"cnf":{"jkt":"x"}`),
		"payload array":          forge(key, head, `[]`),
		"payload null":           forge(key, head, `null`),
		"payload trailing":       forge(key, head, body("")+"{}"),
		"oversized":              claims(`"pad":"` + strings.Repeat("a", identity.MaxToken) + `"`),
		"two parts":              parts[0] + "." + parts[1],
		"four parts":             good + "." + parts[2],
		"five parts (JWE)":       good + "..",
		"padding":                good + "=",
		"newline in signature":   good[:len(good)-4] + "\n" + good[len(good)-4:],
		"leading space":          " " + good,
		"bearer":                 "Bearer " + good,
		"signature stripped":     parts[0] + "." + parts[1] + ".",
		"signature cut":          good[:len(good)-2],
		"JSON serialization":     `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"payload swapped":        parts[0] + "." + b64(strings.Replace(body(""), "user:a", "user:r", 1)) + "." + parts[2],
		"embedded NUL":           good + "\x00",
		"empty dots":             "..",
	} {
		p, err := auth.Authenticate(t.Context(), identity.Credential{Token: raw})
		if err == nil || p.Identity.Subject != "" {
			t.Errorf("%s: accepted", name)
			continue
		}
		want, special := map[string]identity.Reason{
			"wrong aud": identity.ReasonAudience, "aud missing": identity.ReasonAudience, "confused issuer": identity.ReasonIssuer,
			"expired": identity.ReasonExpired, "nbf in future": identity.ReasonNotYet, "act too deep": identity.ReasonClaims,
			"foreign key, our kid": identity.ReasonSignature, "kid path": identity.ReasonSignature, "payload swapped": identity.ReasonSignature,
			"unknown jti": identity.ReasonRevoked, "sub comment": identity.ReasonClaims, "exp missing": identity.ReasonClaims,
		}[name]
		if got := identity.ReasonOf(err); got == "" || special && got != want {
			t.Errorf("%s: reason %q, want %q: %v", name, got, want, err)
		}
		if len(raw) > 40 && strings.Contains(err.Error(), raw[len(raw)-30:]) {
			t.Errorf("%s: the error quotes the token", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(`{"alg":"EdDSA","typ":"dragoman+jwt"}`, `{"iss":"dragoman","aud":"dragoman"}`)
	keys, err := OpenKeys(f.TempDir(), newClock().now)
	if err != nil {
		f.Fatal(err)
	}
	_, key := keys.signing()
	i := &Issuer{name: DefaultIssuer, keys: keys, maxTTL: MaxTTL, now: newClock().now}
	f.Fuzz(func(t *testing.T, header, payload string) {
		if kid := keys.KeyID(); !strings.Contains(header, "kid") { // so that the payload is reached
			header = strings.Replace(header, "{", `{"kid":"`+kid+`",`, 1)
		}
		if c, err := i.signed(forge(key, header, payload)); err == nil {
			if p, err := i.proof(c); err == nil && p.Identity.Validate() != nil {
				t.Fatalf("an identity that is not valid: %+v", p)
			}
		}
	})
}
