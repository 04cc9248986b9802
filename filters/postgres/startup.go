package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/policy"
)

// goodbye is a Terminate message: its type, and the length of nothing.
const goodbye = "X\x00\x00\x00\x04"

// onFirstPacket reads the startup message, or one of the requests in its place.
func (c *conn) onFirstPacket(b []byte) {
	c.hello = append(c.hello, b...)
	for c.state == stStartup {
		first, n, err := wire.DecodeStartup(c.hello)
		if err != nil && strings.HasPrefix(string(c.hello), goodbye) { // some clients change their mind before they have begun
			c.endQuietly("client", "the client said goodbye before it had begun")
			return
		}
		if err != nil {
			c.refuse(fatal(codeProtocol, "invalid startup packet", "", ""))
			return
		}
		if n == 0 {
			return
		}
		rest := c.hello[n:]
		switch first.Code {
		case wire.SSLCode, wire.GSSCode:
			if len(rest) > 0 {
				c.refuse(fatal(codeProtocol, "received unencrypted data after a request for encryption", "",
					"This could be either a client-software bug or evidence of an attempted man-in-the-middle attack."))
				return
			}
			c.hello = nil
			c.host.Write([]byte{'N'}, false)
			return
		case wire.CancelCode:
			c.onCancelRequest(&first)
			return
		}
		c.startup, c.hello = first, nil
		c.onStartup(rest)
	}
}

// onStartup checks the startup message and asks for the token.
func (c *conn) onStartup(rest []byte) {
	if c.startup.Code>>16 != 3 {
		c.refuse(fatal("0A000", "unsupported frontend protocol", "", "Protocol versions 3.0 and 3.2 are spoken here."))
		return
	}
	if c.startup.Get("user") == "" {
		c.refuse(fatal(codeRejected, "no PostgreSQL user name specified in startup packet", "", ""))
		return
	}
	if r := c.startup.Get("replication"); r != "" && !isFalse(r) {
		c.refuse(fatal(codeRejected, "replication connections are refused", "rule: replication. A replication stream carries whole rows of every table, which can be neither judged nor masked.",
			"Read with SELECT or COPY, or replicate from the target itself."))
		return
	}
	tls := c.host.TLS()
	if !tls.Active && !c.cfg.AllowCleartext {
		c.refuse(fatal(codeRejected, "this target is served over TLS only", "", "Connect with sslmode=require or stricter."))
		return
	}
	c.version = wire.Version30
	if c.startup.Code >= wire.Version32 {
		c.version = wire.Version32
	}
	unknown := c.startup.ProtocolOptions()
	var out []byte
	if c.startup.Code > wire.Version32 || len(unknown) > 0 {
		out = wire.AppendNegotiate(out, c.version, unknown)
	}
	if spiffe := spiffeID(tls.URISANs); spiffe != "" {
		c.state = stAuthorizing
		if len(out) > 0 {
			c.host.Write(out, false)
		}
		c.authorize("", spiffe, tls.CertSHA256)
		if len(rest) > 0 {
			c.lookAhead(rest)
		}
		return
	}
	c.state = stPassword
	c.client.Table = passwordTable
	c.host.Write(wire.AppendAuthCleartext(out), false)
	if len(rest) > 0 {
		c.onPassword(rest)
	}
}

func isFalse(s string) bool {
	switch strings.ToLower(s) {
	case "false", "off", "no", "0", "f", "n":
		return true
	}
	return false
}

func spiffeID(uris []string) string {
	for _, u := range uris {
		if strings.HasPrefix(u, "spiffe://") {
			return u
		}
	}
	return ""
}

// passwordTable frames the one message that a client may send before it is authorised.
var passwordTable = wire.Only(wire.Password, 64<<10)

// onPassword takes the token.
func (c *conn) onPassword(b []byte) {
	c.client.Feed(b)
	m, ok, err := c.client.Next()
	if err != nil {
		c.refuse(fatal(codeProtocol, "expected password response", "", ""))
		return
	}
	if !ok {
		return
	}
	token, err := wire.QueryText(m.Body)
	if err != nil || len(token) == 0 {
		c.refuse(fatal(codePassword, "empty password returned by client", "", "The password is an identity token of yours."))
		return
	}
	c.state = stAuthorizing
	c.authorize(string(token), "", "")
	if rest := c.client.Rest(); len(rest) > 0 {
		c.lookAhead(rest)
	}
}

// authorize asks authz to open the session.
func (c *conn) authorize(token, spiffe, digest string) {
	db := c.startup.Get("database")
	if db == "" {
		db = c.startup.Get("user")
	}
	req := check.OpenRequest{Target: c.cfg.Target.Name, Token: token, SPIFFE: spiffe, CertDigest: digest,
		Session: policy.Session{Started: c.now(), Client: c.host.ClientAddr(), Application: c.startup.Get("application_name"),
			Database: db, User: c.startup.Get("user")}}
	c.abandon = c.t.rt.Open(c.host, session.Opening{Request: req, Mode: c.cfg.mode, Protocol: c,
		Limits: session.Limits{Idle: c.cfg.Limits.IdleTimeout}, Timeout: c.cfg.loginTimeout()}, c.onOpened)
}

// onOpened is authz's answer.
func (c *conn) onOpened(s *session.Session, err error) {
	if c.state == stClosed {
		if s != nil {
			s.Gone("client", "")
		}
		return
	}
	c.abandon = nil
	if err != nil {
		c.refuse(c.openRefused(err))
		return
	}
	c.s = s
	c.judge = c.t.policy.Session(s.Opened().Identity, s.Opened().Target, s.Info())
	if rep, ok := c.judgeSettings(); !ok {
		c.endSession("policy", rep)
		return
	}
	c.connect()
}

// openRefused is the error for a session that is not opened.
func (c *conn) openRefused(err error) wire.Report {
	var no *check.Refusal
	if errors.As(err, &no) {
		detail, code := "", codeCannotStart
		if no.Rule != "" {
			detail = "rule: " + no.Rule + "."
		}
		switch no.Code {
		case check.CodeUnauthenticated:
			code = codePassword
		case check.CodeForbidden:
			code = codeRejected
		}
		return noted(fatal(code, no.Message, detail, no.Hint), notice.Refused(no))
	}
	c.t.rt.Log().Error("session could not be opened", "target", c.cfg.Target.Name, "error", err)
	if errors.Is(err, context.DeadlineExceeded) {
		return fatal(codeCannotStart, "the authorization service did not answer in time", "", "Try again later.")
	}
	if errors.Is(err, session.ErrUnrecorded) {
		return fatal(codeDiskFull, "the session cannot be recorded, so it is not opened", "", "Try again later, or ask whoever runs this gateway.")
	}
	return fatal(codeCannotStart, "the session could not be authorised", "", "Try again later, or ask whoever runs this gateway.")
}

// newSecret makes the secret of a cancel key: 4 bytes in protocol 3.0, 32 in 3.2.
func newSecret(version uint32) []byte {
	n := 4
	if version >= wire.Version32 {
		n = 32
	}
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
