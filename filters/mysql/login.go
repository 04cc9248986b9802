package mysql

import (
	"time"

	"dragoman.dev/dragoman/filters/mysql/login"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/filters/statement"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// loginState is the login to the target.
type loginState struct {
	greeting wire.Greeting
	client   *login.Client
	response wire.Response
	seq      byte
}

// onLogin takes the target's messages up to its OK.
func (c *conn) onLogin(b []byte) {
	c.server.Feed(b)
	for c.state == stGreeting || c.state == stLogin {
		m, ok, err := c.server.Next()
		if err != nil || ok && !m.Whole() {
			c.endSession("protocol", broken("the target does not speak the MySQL protocol"))
			return
		}
		if !ok {
			break
		}
		if c.state == stGreeting {
			c.onGreeting(&m)
		} else {
			c.onLoginMessage(&m)
		}
	}
	c.server.Keeps()
	c.commit()
}

// onGreeting is the target's first packet.
func (c *conn) onGreeting(m *wire.Piece) {
	if len(m.Body) > 0 && m.Body[0] == wire.HeadErr {
		c.loginFailed(m.Body)
		return
	}
	g, err := wire.DecodeGreeting(m.Body)
	if err != nil {
		c.endSession("protocol", broken("the target does not speak the MySQL protocol"))
		return
	}
	if c.stop != nil {
		c.stopGreeting(&g, m.End+1)
		return
	}
	c.t.module.saw(c.cfg.Target.Name, g.Version)
	// How answers look depends on these, and the client's were agreed on before the target was known.
	const shape = wire.CapProtocol41 | wire.CapSecure | wire.CapDeprecateEOF | wire.CapSessionTrack | wire.CapPluginAuth | wire.CapTransactions |
		wire.CapPSMultiResults | wire.CapMultiResults
	if missing := c.caps & shape &^ g.Caps; missing != 0 {
		c.endSession("target", broken("the target is too old: MySQL 5.7 or MariaDB 10.2 is needed"))
		return
	}
	o := c.s.Opened()
	l := &loginState{greeting: g, seq: m.End + 1}
	l.client = login.New(login.Options{User: o.Credentials.User, Password: o.Credentials.Password, TLS: c.cfg.UpstreamTLS,
		Local: statement.Local(c.host.UpstreamAddr())}, &g)
	l.response = wire.Response{Caps: c.caps | wire.CapProtocol41 | wire.CapSecure | wire.CapPluginAuth | wire.CapLongPassword,
		MaxPacket: 1 << 30, Charset: c.hello.Charset, User: o.Credentials.User, Database: c.hello.Database}
	if o.Credentials.Database != "" {
		l.response.Database = o.Credentials.Database
	}
	l.response.Caps &^= wire.CapConnectWithDB | wire.CapConnectAttrs
	if l.response.Database != "" {
		l.response.Caps |= wire.CapConnectWithDB
	}
	l.response.Caps |= g.Caps & (wire.CapConnectAttrs | wire.CapAuthLenenc)
	l.response.Attrs = []wire.Attr{{Name: "program_name", Value: statement.ApplicationName(o.Identity.Chain(), c.application())},
		{Name: "dragoman_session", Value: c.s.ID()}}
	c.login = l
	c.leaves(o.Credentials.User, o.Credentials.Password)
	c.s.DropCredentials()
	if !c.cfg.UpstreamTLS {
		c.respond()
		return
	}
	if g.Caps&wire.CapSSL == 0 {
		c.endSession("target", broken("the target does not offer TLS, but its configuration asks for it"))
		return
	}
	c.askTLS()
}

// flushTime is how long the request for TLS has to leave before TLS begins.
const flushTime = 2 * time.Millisecond

// askTLS asks the target for TLS, which nothing answers. TLS may begin only when the request is out: its bytes are
// handed to the kernel by an event that was raised when they were written, so before anything that another
// goroutine posts later. Were they not, the target would see noise and the login would fail.
func (c *conn) askTLS() {
	l := c.login
	c.state = stUpstreamTLS
	l.response.Caps |= wire.CapSSL
	b, next := wire.AppendPacket(nil, l.seq, l.response.AppendSSLRequest(nil))
	l.seq = next
	c.host.Upstream().Write(b, false)
	later := func(f func()) { time.AfterFunc(flushTime, func() { c.host.Post(f) }) }
	later(func() {
		later(func() {
			if c.state != stUpstreamTLS {
				return
			}
			if err := c.host.StartUpstreamTLS(); err != nil {
				c.t.rt.Log().Error("upstream TLS", "target", c.cfg.Target.Name, "error", err)
				c.endSession("fault", broken("TLS to the target could not be started"))
				return
			}
			c.respond()
		})
	})
}

// respond sends the handshake response.
func (c *conn) respond() {
	l := c.login
	var err error
	if l.response.Plugin, l.response.Auth, err = l.client.First(); err != nil {
		c.methodRefused(err)
		return
	}
	c.state = stLogin
	c.toTarget(l.response.Append(nil))
}

func (c *conn) toTarget(body []byte) {
	b, next := wire.AppendPacket(nil, c.login.seq, body)
	c.login.seq = next
	c.host.Upstream().Write(b, false)
}

func (c *conn) methodRefused(err error) {
	c.t.rt.Log().Error("login to the target", "target", c.cfg.Target.Name, "error", err)
	c.endSession("target", broken("the gateway could not log in to the target; ask whoever runs this gateway"))
}

func (c *conn) onLoginMessage(m *wire.Piece) {
	l := c.login
	l.seq = m.End + 1
	switch {
	case len(m.Body) == 0:
		c.endSession("protocol", broken("the target does not speak the MySQL protocol"))
	case m.Body[0] == wire.HeadErr:
		c.loginFailed(m.Body)
	case m.Body[0] == wire.HeadOK:
		ok, err := wire.DecodeOK(m.Body)
		if err != nil {
			c.endSession("protocol", broken("the target does not speak the MySQL protocol"))
			return
		}
		c.status = ok.Status
		if c.stop != nil {
			c.sendKill()
			return
		}
		c.onLoggedIn()
	default:
		reply, err := l.client.Handle(m.Body)
		if err != nil {
			c.methodRefused(err)
			return
		}
		if reply != nil {
			c.toTarget(reply)
		}
	}
}

// Errors about the credentials: they would tell who the gateway is.
func aboutCredentials(number uint16) bool {
	switch number {
	case 1044, errAccess, 1130, 1251, 1275, 1524, 1698, 1820, 1862, 3118:
		return true
	}
	return false
}

// loginFailed passes on why the target does not let us in, without what would help to guess credentials.
func (c *conn) loginFailed(body []byte) {
	e, err := wire.DecodeError(body)
	if err != nil {
		e = *broken("the target refused the login")
	}
	c.t.rt.Log().Error("login to the target", "target", c.cfg.Target.Name, "number", e.Number, "message", e.Message)
	if aboutCredentials(e.Number) {
		e = *broken("the target refused the gateway's credentials; ask whoever runs this gateway")
	}
	c.endSession("target", &e)
}

// onLoggedIn goes on to read names and catalog.
func (c *conn) onLoggedIn() {
	c.thread = c.login.greeting.Thread
	c.behind.thread = c.thread
	c.mode.Version, c.mode.MariaDB = versionOf(c.login.greeting.Version)
	c.login = nil
	c.state = stLoading
	c.namesDirty = true
	c.client = wire.Reader{Keep: max(c.cfg.maxStatement(), 1<<20) + maxHello, Max: c.cfg.maxMessage()}
	c.server = wire.Reader{Keep: maxRow, Max: c.cfg.maxMessage()}
	c.prepareNames(c.onLoaded)
}

// onLoaded tells the client that it may begin.
func (c *conn) onLoaded() {
	if c.state != stLoading {
		return
	}
	c.state = stReady
	c.timer.Stop()
	if c.cfg.Comment {
		c.prefix = statement.Comment(c.s.ID(), c.s.Opened().Identity.Chain())
	}
	for _, id := range []uint32{c.thread, c.t.module.thread(c.host.ClientAddr())} {
		c.forget = append(c.forget, c.t.rt.AddCancel(&session.Cancel{PID: id, Secret: c.owner(), Post: c.host.Post, Session: c}))
	}
	var b []byte
	if c.scrambled {
		b, c.seq = wire.AppendPacket(nil, c.seq, []byte{wire.HeadMoreAuth, 3})
	}
	b, _ = wire.AppendPacket(b, c.seq, wire.AppendOK(nil, wire.OK{Status: c.status}))
	c.s.Respond(0, b)
	c.commit()
	c.work()
}
