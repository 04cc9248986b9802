package mysql

import (
	"context"
	"errors"
	"strings"

	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/check"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/policy"
)

// maxHello bounds each message of a login.
const maxHello = 64 << 10

// onHello takes the client's answer to the greeting, and what it answers to what it is asked.
func (c *conn) onHello(b []byte) {
	c.client.Feed(b)
	for c.state == stHello || c.state == stToken {
		m, ok, err := c.client.Next()
		if err != nil || ok && !m.Whole() {
			c.refuse(&wire.Error{Number: errHandshake, State: stateConnection, Message: "Bad handshake"})
			return
		}
		if !ok {
			c.client.Keeps()
			return
		}
		c.seq = m.End + 1
		if c.state == stHello {
			c.onResponse(m.Body)
		} else {
			c.onToken(m.Body)
		}
	}
	if c.state != stClosed {
		c.lookAhead(c.client.Rest())
	}
}

// onResponse checks the client's answer and asks for the token.
func (c *conn) onResponse(body []byte) {
	hello, err := wire.DecodeResponse(body)
	if err == nil && hello.Plugin == pluginStop {
		c.onStop(hello.Auth)
		return
	}
	tls := c.host.TLS()
	if wire.IsSSLRequest(body) || !tls.Active && !c.cfg.AllowCleartext {
		c.refuse(&wire.Error{Number: errAccess, State: stateRejected, Message: "this target is served over TLS only: connect with --ssl, or ssl-mode=REQUIRED"})
		return
	}
	if err != nil {
		c.refuse(&wire.Error{Number: errHandshake, State: stateConnection, Message: "Bad handshake"})
		return
	}
	hello.Caps &= wire.Offered
	if !plainCharset(hello.Charset) {
		hello.Charset = charsetUTF8 // a client's default; it may say SET NAMES, which is looked at
	}
	c.hello, c.caps = hello, hello.Caps
	if spiffe := spiffeID(tls.URISANs); spiffe != "" {
		// A client that gave a password waits for a word about it; one that gave none does not.
		c.scrambled = hello.Plugin == wire.PluginSHA2 && len(hello.Auth) > 1
		c.authorize("", spiffe, tls.CertSHA256)
		return
	}
	c.askToken(tls.Active)
}

// askToken has the client send its password as it is, which is the token.
func (c *conn) askToken(tls bool) {
	c.state = stToken
	switch {
	case c.hello.Plugin == wire.PluginClear:
		c.onToken(c.hello.Auth)
	case c.hello.Plugin == wire.PluginDialog || !tls && c.hello.Attr("_client_name") == mariadbJDBC:
		c.asked = wire.PluginDialog
		c.send(wire.AppendAuthSwitch(nil, wire.PluginDialog, []byte(dialogQuestion)))
	case tls && c.hello.Plugin == wire.PluginSHA2 && !c.isConnectorJ():
		c.asked = wire.PluginSHA2
		c.send([]byte{wire.HeadMoreAuth, 4})
	case tls && !c.isConnectorJ() && !strings.Contains(strings.ToLower(c.hello.Attr("_client_name")), "mariadb"):
		c.asked = "scramble"
		c.send(wire.AppendAuthSwitch(nil, wire.PluginSHA2, nonce()))
	default:
		c.asked = wire.PluginClear
		c.send(wire.AppendAuthSwitch(nil, wire.PluginClear, nil))
	}
}

// dialogQuestion is what MariaDB's dialog plugin asks (its PAM plugin's protocol): a question whose answer is not shown (4), the
// last one (1). A client answers the first such question with the password that it was given.
const dialogQuestion = "\x05Token: "

// mariadbJDBC is what MariaDB's JDBC driver calls itself. Without TLS it sends no password in clear text but to this plugin.
const mariadbJDBC = "MariaDB Connector/J"

// isConnectorJ is for a client that reads the packets of caching_sha2_password in another way when the version is one that
// MariaDB announces (5.5.5-…). Within TLS it sends its password in clear text.
func (c *conn) isConnectorJ() bool {
	return strings.HasPrefix(c.hello.Attr("_client_name"), "MySQL Connector/J")
}

// send writes a packet to the client before there is a session.
func (c *conn) send(body []byte) {
	b, next := wire.AppendPacket(nil, c.seq, body)
	c.seq = next
	c.host.Write(b, false)
}

// onToken takes what was asked for.
func (c *conn) onToken(body []byte) {
	if c.asked == "scramble" {
		c.asked = wire.PluginSHA2
		c.send([]byte{wire.HeadMoreAuth, 4})
		return
	}
	token := strings.TrimSuffix(string(body), "\x00")
	c.hello.Auth = nil
	if token == "" {
		c.refuse(&wire.Error{Number: errAccess, State: stateRejected, Message: "Access denied: no password was given; the password is an identity token of yours"})
		return
	}
	c.authorize(token, "", "")
}

func spiffeID(uris []string) string {
	for _, u := range uris {
		if strings.HasPrefix(u, "spiffe://") {
			return u
		}
	}
	return ""
}

// authorize asks authz to open the session.
func (c *conn) authorize(token, spiffe, digest string) {
	c.state = stAuthorizing
	req := check.OpenRequest{Target: c.cfg.Target.Name, Token: token, SPIFFE: spiffe, CertDigest: digest,
		Session: policy.Session{Started: c.now(), Client: c.host.ClientAddr(), Application: c.application(),
			Database: c.hello.Database, User: c.hello.User}}
	c.abandon = c.t.rt.Open(c.host, session.Opening{Request: req, Mode: c.cfg.mode, Protocol: c,
		Limits: session.Limits{Idle: c.cfg.Limits.IdleTimeout}, Timeout: c.cfg.loginTimeout()}, c.onOpened)
}

// application is what the client calls itself.
func (c *conn) application() string {
	return strings.TrimSpace(statement.OrElse(c.hello.Attr("program_name"), c.hello.Attr("_client_name")))
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
	c.state = stGreeting
	c.host.Connect()
}

// openRefused is the error for a session that is not opened.
func (c *conn) openRefused(err error) *wire.Error {
	var no *check.Refusal
	if errors.As(err, &no) {
		e := &wire.Error{Number: errAccess, State: stateRejected, Message: "Access denied: " + no.Message}
		if no.Code != check.CodeUnauthenticated && no.Code != check.CodeForbidden {
			e.Number, e.State, e.Message = errUnknown, stateConnection, no.Message
		}
		if no.Rule != "" {
			e.Message += " (rule: " + no.Rule + ".)"
		}
		if no.Hint != "" {
			e.Message += " Hint: " + no.Hint
		}
		return noted(e, notice.Refused(no))
	}
	c.t.rt.Log().Error("session could not be opened", "target", c.cfg.Target.Name, "error", err)
	if errors.Is(err, context.DeadlineExceeded) {
		return broken("the authorization service did not answer in time; try again later")
	}
	return broken("the session could not be authorised; try again later, or ask whoever runs this gateway")
}

// plainCharset reports whether a collation is of a character set in which text is what it is in ASCII, and whose other
// bytes are those of UTF-8, or none.
func plainCharset(collation byte) bool {
	switch {
	case collation == 33 || collation == 83 || collation >= 192 && collation <= 215: // utf8
		return true
	case collation == 45 || collation == 46 || collation >= 224: // utf8mb4
		return true
	}
	return collation == 8 || collation == 11 || collation == 63 // latin1, ascii, binary
}
