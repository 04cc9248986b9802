package ssh

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// maxAuthTries is how many credentials a client may present; agents offer every key they have.
const maxAuthTries = 10

// defaultLogin is how long a client may take to log in, holds apart.
const defaultLogin = 30 * time.Second

// spanKey is where the permissions of a finished handshake have the session.
type spanKey struct{}

// errRefused is all that SSH is told of a refusal; the words go by a banner.
var errRefused = errors.New("refused")

// config is our side of the handshake. Nothing that happens in its callbacks counts
// before the handshake has finished: the session is read from the permissions of the method that
// succeeded, and the callback that is asked about a public key only says whether
// it is worth a signature.
func (c *conn) config(ciphers []string) *ssh.ServerConfig {
	o := &c.server.opt
	cfg := &ssh.ServerConfig{
		MaxAuthTries:  maxAuthTries,
		ServerVersion: serverVersion,
		PublicKeyCallback: func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if !o.Known(key) {
				return nil, errRefused
			}
			p := &ssh.Permissions{}
			if cert, ok := key.(*ssh.Certificate); ok {
				p.CriticalOptions = cert.CriticalOptions // source-address is checked by the library
			}
			return p, nil
		},
		VerifiedPublicKeyCallback: func(m ssh.ConnMetadata, key ssh.PublicKey, p *ssh.Permissions, _ string) (*ssh.Permissions, error) {
			return c.open(m, check.OpenRequest{SSHKey: key.Marshal()}, p)
		},
		PasswordCallback: func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return c.token(m, string(password))
		},
		KeyboardInteractiveCallback: func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			// Clients that are not asked by a person look for "password:" (JSch, scripts of expect).
			answers, err := ask("", "", []string{"Dragoman token as password: "}, []bool{false})
			if err != nil || len(answers) != 1 {
				return nil, errRefused
			}
			return c.token(m, answers[0])
		},
	}
	if c.front.SPIFFE != "" { // Envoy has verified the client's certificate
		cfg.NoClientAuth = true
		cfg.NoClientAuthCallback = func(m ssh.ConnMetadata) (*ssh.Permissions, error) {
			return c.open(m, check.OpenRequest{}, nil)
		}
	}
	cfg.KeyExchanges, _, cfg.MACs = algorithms()
	cfg.Ciphers = ciphers
	for _, k := range o.HostKeys {
		cfg.AddHostKey(k)
	}
	return cfg
}

// algorithms are the library's secure ones; both sides of the bridge use them.
func algorithms() (kex, ciphers, macs []string) {
	a := ssh.SupportedAlgorithms()
	return a.KeyExchanges, a.Ciphers, a.MACs
}

func (c *conn) token(m ssh.ConnMetadata, token string) (*ssh.Permissions, error) {
	if token == "" || len(token) > identity.MaxToken {
		return nil, errRefused
	}
	return c.open(m, check.OpenRequest{Token: token}, nil)
}

// login splits the user name: TARGET, LOGIN@TARGET, or LOGIN where the listener has one target.
func (c *conn) login(user string) (target, login string) {
	at := strings.LastIndexByte(user, '@')
	if at >= 0 && slices.Contains(c.front.Targets, user[at+1:]) {
		return user[at+1:], user[:at]
	}
	if slices.Contains(c.front.Targets, user) {
		return user, ""
	}
	if len(c.front.Targets) == 1 {
		return c.front.Targets[0], user
	}
	return "", user
}

// open has authz open the session. It may wait for people.
func (c *conn) open(m ssh.ConnMetadata, req check.OpenRequest, p *ssh.Permissions) (*ssh.Permissions, error) {
	name, login := c.login(m.User())
	t, ok := c.server.opt.Target(name)
	if !ok {
		// Not which there are: nobody has proven anything yet.
		return nil, banner("say which target: ssh TARGET@GATEWAY, or LOGIN@TARGET@GATEWAY")
	}
	if c.span != nil { // a session is opened once a connection
		return nil, errRefused
	}
	req.Target, req.SPIFFE, req.CertDigest = name, c.front.SPIFFE, c.front.CertDigest
	req.Session = policy.Session{Client: c.front.Client.String(), Started: c.server.opt.Now(), User: login,
		Application: gate.Printable(string(m.ClientVersion()), 128)}
	_ = c.raw.SetDeadline(time.Time{}) // the wait is authz's
	span, err := c.server.opt.Runtime.OpenSpan(c.ctx, session.SpanOpening{Request: req, Mode: t.Mode, Timeout: openTime(t),
		Limits: session.Limits{Idle: t.Idle}, Ended: c.ended})
	if err != nil {
		return nil, c.refused(err)
	}
	_ = c.raw.SetDeadline(time.Now().Add(c.loginTime(t)))
	c.span, c.target = span, t // the deferred end finds it, whatever becomes of the handshake
	if p == nil {
		p = &ssh.Permissions{}
	}
	p.ExtraData = map[any]any{spanKey{}: span}
	return p, nil
}

// openTime bounds the question to authz, which may hold the connection for people.
func openTime(t *Target) time.Duration { return max(t.Hold, session.DefaultHoldTimeout) + time.Minute }

func (c *conn) loginTime(t *Target) time.Duration {
	if t != nil && t.Login > 0 {
		return t.Login
	}
	return defaultLogin
}

// refused says no in the words of authz.
func (c *conn) refused(err error) error {
	var no *check.Refusal
	if !errors.As(err, &no) {
		if !errors.Is(err, context.Canceled) {
			c.log.Error("a session cannot be opened", "err", err)
		}
		return banner("this gateway cannot open sessions now")
	}
	words := no.Message
	if no.Hint != "" {
		words += ". " + no.Hint
	}
	if no.Rule != "" && no.Code == check.CodeForbidden {
		words += " [" + no.Rule + "]"
	}
	return banner(words)
}

func banner(words string) error {
	return &ssh.BannerError{Err: errRefused, Message: "dragoman: " + gate.Printable(words, 2048) + "\r\n"}
}
