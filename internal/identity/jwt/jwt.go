// Package jwt reads the shape of a JSON Web Token strictly (RFC 7515 compact
// form, RFC 8725 advice) and its claims by exact name. It proves nothing: the
// verifiers in token and oidc check the signature. It exists so that all of
// them, and whoever chooses between them, see the same bytes in the same way.
package jwt

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/strictjson"
)

// Token is a token's shape. Nothing in it is proven.
type Token struct {
	Header Claims
	Claims Claims
	// Alg, KeyID and Type are "alg", "kid" and "typ" of the header.
	Alg, KeyID, Type string
}

// Claims is a JSON object by exact key.
type Claims map[string]json.RawMessage

// MaxKeyID bounds "kid", which is only ever compared, never used as a path or query.
const MaxKeyID = 256

// refusedHeaders bring their own key or semantics that we do not implement.
var refusedHeaders = []string{"jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip"}

// strict64 refuses padding, line ends and non-zero trailing bits, so that one
// token has one spelling.
var strict64 = base64.RawURLEncoding.Strict()

// Parse reads a compact JWS whose payload is a JSON object.
func Parse(raw string) (Token, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return Token{}, fmt.Errorf("jwt: %d parts instead of 3", len(parts))
	}
	var t Token
	var err error
	if t.Header, err = object(parts[0]); err != nil {
		return Token{}, fmt.Errorf("jwt: header: %w", err)
	}
	if t.Claims, err = object(parts[1]); err != nil {
		return Token{}, fmt.Errorf("jwt: claims: %w", err)
	}
	if sig, err := decode64(parts[2]); err != nil || len(sig) == 0 {
		return Token{}, errors.New("jwt: no signature")
	}
	if t.Alg, err = t.Header.Text("alg"); err != nil {
		return Token{}, err
	}
	if strings.EqualFold(t.Alg, "none") || strings.HasPrefix(strings.ToUpper(t.Alg), "HS") {
		return Token{}, fmt.Errorf("jwt: algorithm %q is never accepted", t.Alg)
	}
	for _, h := range refusedHeaders {
		if _, has := t.Header[h]; has {
			return Token{}, fmt.Errorf("jwt: header %q is not accepted", h)
		}
	}
	if t.KeyID, err = t.Header.OptionalText("kid"); err != nil {
		return Token{}, err
	}
	if len(t.KeyID) > MaxKeyID {
		return Token{}, errors.New("jwt: kid is too long")
	}
	t.Type, err = t.Header.OptionalText("typ")
	return t, err
}

func decode64(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") { // base64 skips them even when strict
		return nil, errors.New("line end in base64")
	}
	return strict64.DecodeString(part)
}

func object(part string) (Claims, error) {
	b, err := decode64(part)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	if err := strictjson.Check(b); err != nil {
		return nil, err
	}
	return ParseClaims(b)
}

// ParseClaims reads a JSON object, strictly.
func ParseClaims(b []byte) (Claims, error) {
	if err := strictjson.Check(b); err != nil {
		return nil, err
	}
	var c Claims
	if err := json.Unmarshal(b, &c); err != nil || c == nil {
		return nil, errors.New("not a JSON object")
	}
	return c, nil
}

// Text is a claim that must be a string, not empty.
func (c Claims) Text(name string) (string, error) {
	s, err := c.OptionalText(name)
	if err == nil && s == "" {
		err = fmt.Errorf("jwt: %q is missing", name)
	}
	return s, err
}

// OptionalText is a claim that is a string or absent ("").
func (c Claims) OptionalText(name string) (string, error) {
	raw, ok := c[name]
	if !ok {
		return "", nil
	}
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", fmt.Errorf("jwt: %q is not a string", name)
	}
	return s, nil
}

// Texts is a claim that is a string, an array of strings, or absent (nil).
func (c Claims) Texts(name string) ([]string, error) {
	raw, ok := c[name]
	if !ok || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] == '"' {
		s, err := c.OptionalText(name)
		return []string{s}, err
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil, fmt.Errorf("jwt: %q is not a list of strings", name)
	}
	list := make([]string, len(items))
	for i, item := range items {
		if len(item) == 0 || item[0] != '"' || json.Unmarshal(item, &list[i]) != nil {
			return nil, fmt.Errorf("jwt: %q is not a list of strings", name)
		}
	}
	return list, nil
}

// Object is a claim that is an object, or absent (nil).
func (c Claims) Object(name string) (Claims, error) {
	raw, ok := c[name]
	if !ok {
		return nil, nil
	}
	var o Claims
	if raw[0] != '{' || json.Unmarshal(raw, &o) != nil {
		return nil, fmt.Errorf("jwt: %q is not an object", name)
	}
	return o, nil
}

// Time is a NumericDate (RFC 7519 section 2), or zero when absent. Fractions
// of a second are kept; times outside the years 1970 to 9999 are refused.
func (c Claims) Time(name string) (time.Time, error) {
	raw, ok := c[name]
	if !ok {
		return time.Time{}, nil
	}
	var f float64
	if raw[0] == '"' || json.Unmarshal(raw, &f) != nil || string(raw) == "null" || !(f > 0 && f < 253402300800) {
		return time.Time{}, fmt.Errorf("jwt: %q is not a time", name)
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), nil
}

// Chain is the delegation chain (RFC 8693 section 4.1), principal first: "sub",
// then the nested "act" claims from the innermost to the outermost, which is
// who acts now. It fails when there are more than limit actors.
func (c Claims) Chain(limit int) ([]string, error) {
	sub, err := c.Text("sub")
	if err != nil {
		return nil, err
	}
	var actors []string // outermost first
	for cur := c; ; {
		act, err := cur.Object("act")
		if err != nil {
			return nil, err
		}
		if act == nil {
			break
		}
		if len(actors)+1 >= limit {
			return nil, fmt.Errorf("jwt: a delegation of more than %d actors", limit)
		}
		name, err := act.Text("sub")
		if err != nil {
			return nil, fmt.Errorf("jwt: act: %w", err)
		}
		actors = append(actors, name)
		cur = act
	}
	chain := []string{sub}
	for i := len(actors) - 1; i >= 0; i-- {
		chain = append(chain, actors[i])
	}
	return chain, nil
}

// Window checks the time claims: exp (required, no leeway: an expired token
// is expired), nbf and iat (with leeway for clocks that differ).
func (c Claims) Window(now time.Time, leeway time.Duration) (issued, expires time.Time, err error) {
	if expires, err = c.Time("exp"); err != nil {
		return
	}
	if expires.IsZero() {
		return issued, expires, errors.New("jwt: \"exp\" is missing")
	}
	nbf, err := c.Time("nbf")
	if err != nil {
		return
	}
	if issued, err = c.Time("iat"); err != nil {
		return
	}
	switch {
	case !now.Before(expires):
		err = ErrExpired
	case nbf.After(now.Add(leeway)) || issued.After(now.Add(leeway)):
		err = ErrNotYet
	case expires.Before(issued):
		err = errors.New("jwt: expires before it was issued")
	}
	return
}

// Errors of Window.
var (
	ErrExpired = errors.New("jwt: the token has expired")
	ErrNotYet  = errors.New("jwt: the token is not valid yet")
)
