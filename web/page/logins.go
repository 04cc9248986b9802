package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
	"time"

	"dragoman.dev/dragoman/web/api"
)

// Via is how decisions made on the page are recorded.
const Via = "page"

const (
	cookieName = "dragoman_login"
	codeLife   = time.Minute
	loginLife  = 12 * time.Hour
	loginIdle  = time.Hour
	maxLogins  = 10_000
)

var errNotSignedIn = errors.New("not signed in")

// Logins are the browsers that are signed in. It is the page's api.Access.
type Logins struct {
	// Secure says that browsers reach the page over TLS, though somebody else may end it.
	Secure bool

	bearer api.Bearer
	now    func() time.Time

	mu     sync.Mutex
	logins map[[sha256.Size]byte]*login // by digest of the cookie
	codes  map[[sha256.Size]byte]code
}

// login is one browser's. Its rights are looked up anew at each request, so that a revoked token is out at once.
type login struct {
	token  string      // a bearer token, or
	caller *api.Caller // whom the admin socket has let in
	csrf   string
	begun  time.Time
	used   time.Time
}

type code struct {
	caller api.Caller
	made   time.Time
}

// NewLogins makes the logins of those whom bearer knows.
func NewLogins(bearer api.Bearer, now func() time.Time) *Logins {
	return &Logins{bearer: bearer, now: now, logins: map[[sha256.Size]byte]*login{}, codes: map[[sha256.Size]byte]code{}}
}

func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Code makes a code that signs a browser in as the caller, once and within a minute.
func (l *Logins) Code(c api.Caller) string {
	c.Via = Via
	one := secret()
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, old := range l.codes {
		if l.now().Sub(old.made) > codeLife {
			delete(l.codes, k)
		}
	}
	l.codes[sha256.Sum256([]byte(one))] = code{c, l.now()}
	return one
}

// redeem takes a code back.
func (l *Logins) redeem(one string) (api.Caller, bool) {
	k := sha256.Sum256([]byte(one))
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.codes[k]
	delete(l.codes, k)
	return c.caller, ok && l.now().Sub(c.made) <= codeLife
}

// begin signs a browser in.
func (l *Logins) begin(w http.ResponseWriter, r *http.Request, one *login) error {
	one.csrf, one.begun, one.used = secret(), l.now(), l.now()
	value := secret()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.logins) >= maxLogins {
		l.drop()
	}
	if len(l.logins) >= maxLogins {
		return errors.New("too many browsers are signed in")
	}
	l.logins[sha256.Sum256([]byte(value))] = one
	http.SetCookie(w, l.cookie(r, value, int(loginLife/time.Second)))
	return nil
}

func (l *Logins) secure(r *http.Request) bool { return l.Secure || r.TLS != nil }

// cookieName has a prefix with TLS, with which a browser takes the cookie from this very host only.
func (l *Logins) cookieName(r *http.Request) string {
	if l.secure(r) {
		return "__Host-" + cookieName
	}
	return cookieName
}

func (l *Logins) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{Name: l.cookieName(r), Value: value, Path: "/", HttpOnly: true, Secure: l.secure(r), SameSite: http.SameSiteStrictMode, MaxAge: age}
}

// drop forgets those whose time is over.
func (l *Logins) drop() {
	for k, one := range l.logins {
		if l.over(one) {
			delete(l.logins, k)
		}
	}
}

func (l *Logins) over(one *login) bool {
	now := l.now()
	return now.Sub(one.begun) > loginLife || now.Sub(one.used) > loginIdle
}

// end signs the browser out.
func (l *Logins) end(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(l.cookieName(r)); err == nil {
		l.mu.Lock()
		delete(l.logins, sha256.Sum256([]byte(c.Value)))
		l.mu.Unlock()
	}
	http.SetCookie(w, l.cookie(r, "", -1))
}

func (l *Logins) find(r *http.Request) (login, bool) {
	c, err := r.Cookie(l.cookieName(r))
	if err != nil {
		return login{}, false
	}
	k := sha256.Sum256([]byte(c.Value))
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.logins[k]
	if one == nil {
		return login{}, false
	}
	if l.over(one) {
		delete(l.logins, k)
		return login{}, false
	}
	one.used = l.now()
	return *one, true
}

// Caller implements api.Access.
func (l *Logins) Caller(r *http.Request) (api.Caller, error) {
	one, ok := l.find(r)
	if !ok {
		return api.Caller{}, errNotSignedIn
	}
	if one.caller != nil {
		return *one.caller, nil
	}
	c, err := l.known(r, one.token)
	if err != nil {
		return api.Caller{}, errNotSignedIn
	}
	return c, nil
}

// known tells who a bearer token stands for.
func (l *Logins) known(r *http.Request, token string) (api.Caller, error) {
	as := r.Clone(r.Context())
	as.Header = http.Header{"Authorization": {"Bearer " + token}}
	c, err := l.bearer.Caller(as)
	c.Via = Via
	return c, err
}

// own reports whether a form was made by this login's own page.
func (l *Logins) own(r *http.Request) bool {
	one, ok := l.find(r)
	return ok && subtle.ConstantTimeCompare([]byte(one.csrf), []byte(r.PostFormValue("csrf"))) == 1
}
