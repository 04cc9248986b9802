package mask

import (
	"bytes"
	"encoding/base64"
	"math"
)

// maxJWTHeader bounds the header that is decoded to see whether it is one.
const maxJWTHeader = 2048

// jwtAt checks for a compact JWS or JWE: three or five parts of base64url,
// the first a JSON header.
func jwtAt(t []byte, i int) match {
	if !bytes.HasPrefix(t[i:], []byte("eyJ")) || i > 0 && (t[i-1] == '-' || t[i-1] == '_') {
		return match{}
	}
	first := bytes.IndexByte(t[i:min(len(t), i+maxJWTHeader)], '.') + i
	if first-i < 10 || !jwtHeader(t[i:first]) {
		return match{}
	}
	var dots [4]int
	parts, end := 1, i
	for end < len(t) {
		if b := t[end]; b == '.' && parts < 5 {
			dots[parts-1] = end
			parts++
		} else if !isAlnum(b) && b != '_' && b != '-' {
			break
		}
		end++
	}
	if parts < 3 || parts == 3 && dots[1]-dots[0] < 3 {
		return match{}
	}
	if parts == 4 { // a JWS, and a full stop or a file's suffix behind it
		end = dots[2]
	}
	return match{i, end, detJWT}
}

func jwtHeader(h []byte) bool {
	var buf [maxJWTHeader]byte
	n, _ := base64.RawURLEncoding.Decode(buf[:], h[:len(h)/4*4])
	tail, _ := base64.RawURLEncoding.Decode(buf[n:], h[len(h)/4*4:])
	d := buf[:n+tail]
	return len(d) > 6 && d[0] == '{' && (bytes.Contains(d, []byte(`"alg"`)) || bytes.Contains(d, []byte(`"typ"`)) || bytes.Contains(d, []byte(`"enc"`)))
}

// keyShape is a credential that its prefix gives away: the prefix, then at
// least min (and at most max, 0 for no bound) characters of the set.
type keyShape struct {
	prefix   string
	min, max int
	set      byte // 'a' alphanumeric, 'u' upper case and digits, 'h' hex, 'w' alphanumeric with _ and -, '.' also with dots
}

var keyShapes = []keyShape{
	{"AKIA", 16, 16, 'u'}, {"ASIA", 16, 16, 'u'}, {"ABIA", 16, 16, 'u'}, {"ACCA", 16, 16, 'u'}, // AWS
	{"ghp_", 30, 0, 'a'}, {"gho_", 30, 0, 'a'}, {"ghu_", 30, 0, 'a'}, {"ghs_", 30, 0, 'a'}, {"ghr_", 30, 0, 'a'},
	{"github_pat_", 22, 0, 'w'}, {"glpat-", 20, 0, 'w'}, {"gldt-", 20, 0, 'w'}, {"glrt-", 20, 0, 'w'},
	{"sk_live_", 16, 0, 'a'}, {"sk_test_", 16, 0, 'a'}, {"rk_live_", 16, 0, 'a'}, {"rk_test_", 16, 0, 'a'}, {"whsec_", 24, 0, 'w'}, // Stripe
	{"xoxb-", 10, 0, 'w'}, {"xoxp-", 10, 0, 'w'}, {"xoxa-", 10, 0, 'w'}, {"xoxr-", 10, 0, 'w'}, {"xoxs-", 10, 0, 'w'}, {"xoxe-", 10, 0, 'w'}, {"xoxe.", 10, 0, '.'}, {"xapp-", 10, 0, 'w'}, // Slack
	{"AIza", 35, 35, 'w'}, {"ya29.", 20, 0, '.'}, {"GOCSPX-", 28, 28, 'w'}, // Google
	{"sk-ant-", 20, 0, 'w'}, {"sk-proj-", 20, 0, 'w'}, {"sk-svcacct-", 20, 0, 'w'}, {"sk-", 40, 0, 'a'},
	{"npm_", 36, 36, 'a'}, {"pypi-", 50, 0, 'w'}, {"hf_", 30, 0, 'a'}, {"dop_v1_", 64, 64, 'h'}, {"SG.", 40, 0, '.'},
	{"shpat_", 32, 32, 'h'}, {"shpss_", 32, 32, 'h'}, {"shpca_", 32, 32, 'h'}, {"sq0atp-", 22, 0, 'w'}, {"sq0csp-", 43, 0, 'w'},
	{"hvs.", 24, 0, 'w'}, {"hvb.", 24, 0, 'w'}, {"AGE-SECRET-KEY-1", 58, 58, 'u'}, {"dckr_pat_", 20, 0, 'w'}, {"lin_api_", 32, 0, 'a'},
	{"atlasv1.", 40, 0, 'w'}, {"NRAK-", 27, 27, 'u'}, {"EAACEdEose0cBA", 20, 0, 'a'}, {"tskey-", 16, 0, 'w'}, {"pul-", 40, 40, 'h'},
}

// keysBy and wordsBy have keyShapes and secretWords by their first byte (the
// words by both cases of it), so that most words are dropped at once.
var keysBy, wordsBy = func() (keys [256][]keyShape, words [256][]string) {
	for _, s := range keyShapes {
		keys[s.prefix[0]] = append(keys[s.prefix[0]], s)
	}
	for _, w := range secretWords {
		words[w[0]] = append(words[w[0]], w)
		words[upper(w[0])] = append(words[upper(w[0])], w)
	}
	return keys, words
}()

// keyAt checks for a credential that begins at i, or for a word that says that
// one follows: "password=…", "api_key: …".
func keyAt(t []byte, i int) match {
	shapes := keysBy[t[i]]
	for k := range shapes {
		s := &shapes[k]
		if len(t)-i < len(s.prefix) || t[i+1] != s.prefix[1] || string(t[i:i+len(s.prefix)]) != s.prefix {
			continue
		}
		end := i + len(s.prefix)
		for end < len(t) && inSet(t[end], s.set) && (s.max == 0 || end-i-len(s.prefix) < s.max) {
			end++
		}
		if n := end - i - len(s.prefix); n >= s.min && (s.max == 0 || end == len(t) || !isAlnum(t[end])) {
			return match{i, end, detAPIKey}
		}
	}
	return namedSecret(t, i)
}

func inSet(b, set byte) bool {
	switch set {
	case 'u':
		return isUpper(b) || isDigit(b)
	case 'h':
		return isHex(b)
	case 'w':
		return isAlnum(b) || b == '_' || b == '-'
	case '.':
		return isAlnum(b) || b == '_' || b == '-' || b == '.'
	}
	return isAlnum(b)
}

var secretWords = []string{
	"password", "passwd", "pwd", "secret", "token", "api_key", "apikey", "api-key", "access_key", "access-key", "accesskey",
	"secret_key", "secretkey", "private_key", "auth_token", "access_token", "refresh_token", "client_secret", "bearer", "accountkey", "aws_secret_access_key",
}

// Bounds of a secret that only its name gives away.
const (
	minSecret  = 16
	maxSecret  = 256
	minEntropy = 3.0 // bits a character
)

// namedSecret checks for a name, a separator, and a random-looking value,
// which alone is the match.
func namedSecret(t []byte, i int) match {
	at := 0
	for _, w := range wordsBy[t[i]] {
		if n := i + len(w); n < len(t) && n > at && t[i+1]|0x20 == w[1] && equalFold(t[i:n], w) && !isAlnum(t[n]) && t[n] != '_' {
			at = n
		}
	}
	if at == 0 {
		return match{}
	}
	seen := false
	for n := 0; at < len(t) && n < 6; n++ {
		b := t[at]
		if b == '=' || b == ':' || b == ' ' {
			seen = true
		} else if b != '"' && b != '\'' && b != '>' && b != '\\' {
			break
		}
		at++
	}
	end := at
	for end < len(t) && end-at < maxSecret && secretByte(t[end]) {
		end++
	}
	if !seen || end-at < minSecret || !random(t[at:end]) {
		return match{}
	}
	return match{at, end, detAPIKey}
}

func secretByte(b byte) bool {
	return isAlnum(b) || bytes.IndexByte([]byte("+/=_-.~!@#$%^&*"), b) >= 0
}

// random reports whether a value looks drawn rather than written: letters and
// digits both, and an entropy over minEntropy.
func random(v []byte) bool {
	letters, digits := false, false
	for _, b := range v {
		letters, digits = letters || isAlpha(b), digits || isDigit(b)
	}
	if !letters || !digits { // told at little cost: text can be made of names that secrets follow
		return false
	}
	var count [256]uint16
	for _, b := range v {
		count[b]++
	}
	e := 0.0
	for _, c := range count {
		if c > 0 {
			p := float64(c) / float64(len(v))
			e -= p * math.Log2(p)
		}
	}
	return e >= minEntropy
}

// pemAt checks for a PEM private key; it ends with its END line, or with the
// text when that is cut off. step leads on when there is none.
func pemAt(t []byte, i int) (m match, step int) {
	const begin, mark = "-----BEGIN ", "PRIVATE KEY"
	if !bytes.HasPrefix(t[i:], []byte(begin)) {
		return match{}, 1
	}
	head := t[i+len(begin) : min(len(t), i+len(begin)+48)]
	k := bytes.Index(head, []byte(mark))
	if k < 0 || bytes.IndexByte(head[:k], '-') >= 0 {
		return match{}, len(begin)
	}
	body := i + len(begin) + k + len(mark)
	e := bytes.Index(t[body:], []byte("-----END "))
	if e < 0 {
		return match{i, len(t), detAPIKey}, 0
	}
	e += body + len("-----END ")
	if c := bytes.Index(t[e:min(len(t), e+64)], []byte("-----")); c >= 0 {
		return match{i, e + c + 5, detAPIKey}, 0
	}
	return match{i, e, detAPIKey}, 0
}
