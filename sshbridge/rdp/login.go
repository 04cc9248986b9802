package rdp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// login splits the user name: TARGET, LOGIN@TARGET, or LOGIN where the listener has one target.
func (c *conn) login() (target, login string) {
	user := c.info.User
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

// open has authz open the session. It may wait for people, while the client sees why.
func (c *conn) open() error {
	name, login := c.login()
	t, ok := c.server.opt.Target(name)
	if !ok {
		// Not which there are: nobody has proven anything yet.
		return &gate.Refusal{Words: "say which target as the user name: TARGET, or LOGIN@TARGET"}
	}
	req := check.OpenRequest{Target: name, Token: c.token()}
	if len(req.Token) > identity.MaxToken {
		return &gate.Refusal{Words: "the password is no Dragoman token"}
	}
	req.SPIFFE, req.CertDigest = c.certificate()
	if req.Token == "" && req.SPIFFE == "" {
		return &gate.Refusal{Words: "give a Dragoman token as the password"}
	}
	req.Session = policy.Session{Client: c.front.Client.String(), Started: c.server.opt.Now(), User: gate.Printable(login, 256),
		Application: "rdp " + gate.Printable(c.data.Core.Name, 64)}
	_ = c.raw.SetReadDeadline(time.Time{}) // the wait is authz's
	c.target = t
	c.lobby.say("opening a session on "+name+" ...", "if policy asks people first, this waits for them")
	span, err := c.server.opt.Runtime.OpenSpan(c.ctx, session.SpanOpening{Request: req, Mode: t.Mode,
		Timeout: max(t.Hold, session.DefaultHoldTimeout) + time.Minute, Limits: session.Limits{Idle: t.Idle}, Ended: c.ended})
	if err != nil {
		return c.refused(err)
	}
	c.last.Lock()
	c.span = span
	c.last.Unlock()
	if c.ctx.Err() != nil { // the client went meanwhile; release ends it
		return c.ctx.Err()
	}
	info := span.Opened()
	c.gate = &gate.Gate{Span: span, Judge: c.server.opt.Policy.Session(info.Identity, info.Target, span.Info()), Timeout: t.Hold,
		Log: c.log.With("session", span.ID()), Now: c.server.opt.Now}
	return nil
}

// tokenHead begins every token: a JSON object in base64.
const tokenHead = "eyJ"

// token takes the token that the client has shown. Windows' own client takes no password of more than 255 characters, and
// tokens have more; there the first part of it stands as the user's domain.
func (c *conn) token() string {
	t := c.info.Password
	if strings.HasPrefix(c.info.Domain, tokenHead) {
		t = c.info.Domain + t
	}
	c.info.Password, c.info.Domain = "", ""
	return t
}

// certificate is what the client's certificate proves: our own TLS has verified it, where the target has a client_ca.
func (c *conn) certificate() (spiffe, digest string) {
	if len(c.tls.VerifiedChains) == 0 {
		return "", ""
	}
	leaf := c.tls.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	if len(leaf.URIs) == 1 { // a SPIFFE certificate has exactly one
		spiffe = leaf.URIs[0].String()
	}
	return spiffe, hex.EncodeToString(sum[:])
}

// refused says no in the words of authz.
func (c *conn) refused(err error) error {
	var no *check.Refusal
	if !errors.As(err, &no) {
		if !errors.Is(err, context.Canceled) {
			c.log.Error("a session cannot be opened", "err", err)
		}
		return &gate.Refusal{Words: "this gateway cannot open sessions now"}
	}
	words := no.Message
	if no.Hint != "" {
		words += ". " + no.Hint
	}
	if no.Rule != "" && no.Code == check.CodeForbidden {
		words += " [" + no.Rule + "]"
	}
	return &gate.Refusal{Words: words}
}
