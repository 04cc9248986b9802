package postgres

import (
	"encoding/binary"
	"errors"
	"strings"

	"dragoman.dev/dragoman/filters/postgres/login"
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/nodeconfig"
)

// loginState is the login to the target.
type loginState struct {
	options login.Options
	client  *login.Client // made at the target's first answer
	asking  bool          // the target's certificate is asked for, and held the message that waits for it
	held    *wire.Piece
	later   []byte // what the target sends meanwhile, which is at most why it gives up
	// authenticated says that AuthenticationOk came.
	authenticated bool
	// greeting is what the target said of itself, for the client.
	greeting []byte
	key      targetKey
}

// targetKey is what a cancel request to the target needs. Cluster and TLS are the session's: the request
// itself may come on a port that several targets share, to the filter of another one.
type targetKey struct {
	pid     uint32
	secret  []byte
	addr    string
	cluster string
	tls     bool
}

// connect opens the connection to the target and asks for TLS or logs in.
func (c *conn) connect() {
	c.host.Connect()
	if c.cfg.UpstreamTLS {
		c.state = stUpstreamTLS
		c.host.Upstream().Write(wire.SSLRequest(), false)
		return
	}
	c.startLogin()
}

// onTLSAnswer is the target's one byte after SSLRequest.
func (c *conn) onTLSAnswer(b []byte) {
	if len(b) != 1 {
		// More than the one byte is clear text that pretends to come from within TLS.
		c.endSession("target", fatal(codeConnectionFailure, "the target sent data before TLS", "", ""))
		return
	}
	if b[0] != 'S' {
		c.endSession("target", fatal(codeConnectionFailure, "the target does not offer TLS, but its configuration asks for it", "", ""))
		return
	}
	if err := c.host.StartUpstreamTLS(); err != nil {
		c.t.rt.Log().Error("upstream TLS", "target", c.cfg.Target.Name, "error", err)
		c.endSession("fault", fatal(codeConnectionFailure, "TLS to the target could not be started", "", ""))
		return
	}
	if c.cancel != nil {
		c.sendCancel()
		return
	}
	c.startLogin()
}

// startLogin sends the startup message.
func (c *conn) startLogin() {
	o := c.s.Opened()
	database := o.Credentials.Database
	if database == "" {
		database = c.s.Info().Database
	}
	c.database = database
	l := &loginState{options: login.Options{User: o.Credentials.User, Password: o.Credentials.Password, Database: database,
		TLS: c.cfg.UpstreamTLS, RequireBinding: c.cfg.ChannelBinding == nodeconfig.BindingRequire, Keys: &c.t.keys}}
	params := []string{"user", o.Credentials.User, "database", database,
		"application_name", statement.ApplicationName(o.Identity.Chain(), c.startup.Get("application_name"))}
	for _, p := range c.startup.Params {
		switch {
		case p.Name == "user" || p.Name == "database" || p.Name == "application_name":
		case strings.HasPrefix(p.Name, "_pq_."):
		default:
			params = append(params, p.Name, p.Value)
		}
	}
	c.login = l
	c.s.DropCredentials()
	c.state = stLogin
	c.server.Table = c.cfg.backend
	c.host.Upstream().Write(wire.AppendStartup(nil, wire.Version30, params...), false)
}

// answer gives a message of the target to the login. Whether it may send a
// password without TLS depends on where the target is, which is known once it has answered.
func (l *loginState) answer(c *conn, m *wire.Piece) ([]byte, bool, error) {
	if l.client == nil {
		l.options.AllowWeak = statement.Local(c.host.UpstreamAddr())
		client, err := login.New(l.options)
		if err != nil {
			return nil, false, err
		}
		l.client, l.options = client, login.Options{}
	}
	return l.client.Handle(m.Type, m.Body)
}

// onLogin handles the target's messages up to its first ReadyForQuery.
func (c *conn) onLogin(b []byte) {
	if l := c.login; l.asking {
		if l.later = append(l.later, b...); len(l.later) > login.MaxMessage {
			c.endSession("protocol", fatal(codeConnectionFailure, "the target says too much at login", "", ""))
		}
		return
	}
	c.server.Feed(b)
	for c.state == stLogin && !c.login.asking {
		m, ok, err := c.server.Next()
		if err != nil {
			c.endSession("protocol", fatal(codeConnectionFailure, "the target does not speak the PostgreSQL protocol", "", ""))
			return
		}
		if !ok {
			return
		}
		if !m.Whole() {
			c.endSession("protocol", fatal(codeConnectionFailure, "the target's login messages are too long", "", ""))
			return
		}
		c.onLoginMessage(&m)
	}
	c.commit() // nothing follows ReadyForQuery until we ask
}

func (c *conn) onLoginMessage(m *wire.Piece) {
	l := c.login
	switch {
	case m.Type == wire.ErrorResponse:
		c.loginFailed(m.Body)
	case len(l.greeting)+len(m.Raw) > maxGreeting:
		c.endSession("protocol", fatal(codeConnectionFailure, "the target says too much at login", "", ""))
	case m.Type == wire.NoticeResponse:
		l.greeting = append(l.greeting, m.Raw...)
	case !l.authenticated && l.held == nil && c.askCertificate(m, c.certificateCame):
		l.asking, l.held = true, kept(*m)
		l.later = append(l.later, c.server.Rest()...)
		c.server.Feed(nil)
	case !l.authenticated:
		reply, done, err := l.answer(c, m)
		if err != nil {
			c.t.rt.Log().Error("login to the target", "target", c.cfg.Target.Name, "error", err)
			detail := ""
			if errors.Is(err, login.ErrMethod) && c.cfg.ChannelBinding == nodeconfig.BindingRequire {
				detail = "Channel binding is required, and the target, its certificate or the gateway's Envoy cannot do it."
			}
			c.endSession("target", fatal(codeConnectionFailure, "the gateway could not log in to the target", detail, "Ask whoever runs this gateway."))
			return
		}
		if len(reply) > 0 {
			c.host.Upstream().Write(reply, false)
		}
		l.authenticated = done
	case m.Type == wire.ParameterStatus:
		l.greeting = append(l.greeting, m.Raw...)
	case m.Type == wire.BackendKeyData && len(m.Body) >= 8:
		l.key = targetKey{pid: binary.BigEndian.Uint32(m.Body), secret: append([]byte(nil), m.Body[4:]...)}
	case m.Type == wire.NegotiateVersion:
	case m.Type == wire.ReadyForQuery:
		c.onLoggedIn()
	default:
		c.endSession("protocol", fatal(codeConnectionFailure, "the target sent an unexpected message at login", "", ""))
	}
}

// certificateCame goes on with the login.
func (c *conn) certificateCame() {
	l := c.login
	later := l.later
	l.asking, l.later = false, nil
	c.onLoginMessage(l.held)
	if len(later) > 0 && c.state == stLogin {
		c.onLogin(later)
		return
	}
	c.commit()
}

// loginFailed passes on why the target does not let us in, without what would
// help to guess credentials.
func (c *conn) loginFailed(body []byte) {
	code := string(wire.Field(body, wire.FieldCode))
	message := string(wire.Field(body, wire.FieldMessage))
	c.t.rt.Log().Error("login to the target", "target", c.cfg.Target.Name, "code", code, "message", message)
	switch code {
	case codePassword, codeRejected:
		c.endSession("target", fatal(codeConnectionFailure, "the target refused the gateway's credentials", "", "Ask whoever runs this gateway."))
	default:
		c.endSession("target", fatal(code, message, string(wire.Field(body, wire.FieldDetail)), string(wire.Field(body, wire.FieldHint))))
	}
}

// maxGreeting bounds what the target says of itself at login.
const maxGreeting = 1 << 20

// onLoggedIn goes on to read names and catalog.
func (c *conn) onLoggedIn() {
	c.login.client = nil
	k := &c.login.key
	k.addr, k.cluster, k.tls = c.host.UpstreamAddr(), c.cfg.CancelCluster, c.cfg.UpstreamTLS
	c.state = stLoading
	c.relay.tx = wire.TxIdle
	c.db = c.t.database(c.database)
	c.relay.namesDirty = true
	c.client.Table = c.cfg.frontend
	c.prepareNames(c.onLoaded)
}

// onLoaded tells the client that it may begin.
func (c *conn) onLoaded() {
	if c.state != stLoading {
		return
	}
	l := c.login
	secret := newSecret(c.version)
	out := wire.AppendAuthOK(nil)
	out = append(out, l.greeting...)
	out = wire.AppendKey(out, l.key.pid, secret)
	out = wire.AppendReady(out, wire.TxIdle)
	c.forget = c.t.rt.AddCancel(&session.Cancel{PID: l.key.pid, Secret: secret, Post: c.host.Post, Session: c})
	c.target, c.login = l.key, nil
	c.timer.Stop()
	c.timer = nil
	c.state = stReady
	c.prefix = c.comment()
	c.s.Respond(0, out)
	c.commit()
	c.work()
}
