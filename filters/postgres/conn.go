package postgres

import (
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// state is where a connection stands. It only ever goes forward.
type state uint8

const (
	stStartup     state = iota // waits for the first packet
	stPassword                 // waits for the token
	stAuthorizing              // authz is asked
	stUpstreamTLS              // waits for the target's answer to SSLRequest
	stLogin                    // logs in to the target
	stLoading                  // reads names and catalog before the client is told that it may begin
	stReady                    // relays
	stCancel                   // carries a cancel request
	stClosed
)

// conn is one connection of a client. All methods run on its worker.
type conn struct {
	t     *target
	cfg   *config
	host  filters.Conn
	state state
	now   func() time.Time

	// before the session
	hello   []byte // the first packets, as far as they came
	startup wire.Startup
	version uint32 // of the protocol, as agreed with the client
	login   *loginState
	timer   *time.Timer // bounds everything up to stReady
	abandon func()      // withdraws the question to authz
	cancel  *cancelState
	forget  func() // removes the cancel key

	// the session
	s       *session.Session
	client  wire.Reader
	server  wire.Reader
	in      []byte     // client bytes that wait for something
	left    bool       // the session ended with statements in flight
	piece   wire.Piece // the client message at hand
	stalled *wire.Piece
	wait    waiting
	ended   bool // the client sends no more
	relay   relay
	judge   *policy.SessionJudge
	masks   mask.Last
	shape   shapeSheet
	prefix  string    // comment before each statement
	target  targetKey // for cancel requests
	fatal   bool      // the target said FATAL: nothing more is said
	working bool      // guards against working on client bytes recursively
	// refusable says that the client's last batch began with nothing in flight,
	// so that it can be refused as a whole when it cannot be recorded.
	refusable bool
	buffer    []byte // rewritten rows of the batch

	// names
	database   string
	db         *database
	env        *env
	aside      *aside
	then       func() // what goes on when the wait is over, before any message of the client
	names      *pgsql.Names
	namesText  string
	unresolved string    // the last text for whose sake the catalog was read again
	stale      bool      // something was met that the catalog does not have
	locked     string    // a LOCK for whose sake names were not read
	nameless   bool      // the message at hand is judged without reading names
	retry      time.Time // when names or catalog may be read again after a failure; zero: no failure
}

// downstream and upstream are the two halves that the host talks to.
type (
	downstream struct{ c *conn }
	upstream   struct{ c *conn }
)

func (d downstream) OnNewConnection() api.FilterStatus {
	d.c.begin()
	return api.NetworkFilterStopIteration
}

func (d downstream) OnData(b []byte, end bool) api.FilterStatus {
	d.c.onClient(b)
	if end {
		d.c.clientEnded()
	}
	return api.NetworkFilterStopIteration
}

func (d downstream) OnEvent(e api.ConnectionEvent) {
	if e == api.RemoteClose || e == api.LocalClose {
		d.c.gone(e == api.RemoteClose)
	}
}

func (d downstream) OnWrite([]byte, bool) api.FilterStatus { return api.NetworkFilterContinue }

func (u upstream) OnPoolReady(api.ConnectionCallback) {}

func (u upstream) OnPoolFailure(_ api.PoolFailureReason, transport string) {
	u.c.upstreamGone("the gateway could not connect to the target", transport)
}

func (u upstream) OnData(b []byte, end bool) {
	u.c.onServer(b)
	if end {
		u.c.upstreamGone("the target closed the connection", "")
	}
}

// OnEvent: with LocalClose the client's side is closed as well, and is told next; it knows who began.
func (u upstream) OnEvent(e api.ConnectionEvent) {
	if e == api.RemoteClose {
		u.c.upstreamGone("the target closed the connection", "")
	}
}

// begin is the start of a connection.
func (c *conn) begin() {
	if err := c.t.rt.Err(); err != nil {
		c.refuse(fatal(codeCannotConnect, "this gateway cannot open sessions", "", err.Error()))
		return
	}
	c.after(c.cfg.loginTimeout(), func() {
		c.refuse(fatal(codeAuthTimeout, "login took too long", "", ""))
	})
}

// after sets the timer that ends a connection which is not ready by then.
func (c *conn) after(d time.Duration, f func()) {
	c.timer = time.AfterFunc(d, func() {
		c.host.Post(func() {
			if c.state < stReady || c.state == stCancel {
				f()
			}
		})
	})
}

func (c *conn) onClient(b []byte) {
	switch c.state {
	case stStartup:
		c.onFirstPacket(b)
	case stPassword:
		c.onPassword(b)
	case stReady:
		c.onRequest(b)
	case stClosed, stCancel:
	default: // the client talks before it was told that it may
		c.lookAhead(b)
	}
}

func (c *conn) onServer(b []byte) {
	switch c.state {
	case stUpstreamTLS:
		c.onTLSAnswer(b)
	case stLogin:
		c.onLogin(b)
	case stLoading, stReady:
		c.onAnswer(b)
	case stCancel:
		c.onCancelAnswer(b)
	}
}

// maxLookAhead is how much a client may send while it has to wait.
const maxLookAhead = 64 << 10

// lookAhead keeps client bytes for later. Reading stops when they are many, so that the
// client's going away is still seen and memory stays bounded.
func (c *conn) lookAhead(b []byte) {
	c.in = append(c.in, b...)
	c.pause(len(c.in) >= maxLookAhead)
}

func (c *conn) pause(on bool) {
	if c.s != nil {
		c.s.Pause(session.PauseInput, on)
		return
	}
	c.host.PauseReads(on)
}

// refuse says no before there is a session (or after it): the error and the end.
func (c *conn) refuse(r wire.Report) {
	if c.state == stClosed {
		return
	}
	c.host.Write(wire.AppendError(nil, r), false)
	c.close()
	c.host.Close(api.FlushWrite)
}

// close releases what the connection holds outside itself.
func (c *conn) close() {
	c.state = stClosed
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.abandon != nil {
		c.abandon()
	}
	if c.forget != nil {
		c.forget()
		c.forget = nil
	}
	if c.relay.job != nil {
		c.relay.job.fail(c)
	}
	if c.left || c.relay.queue.len() > 0 {
		c.left = false
		c.stopTarget()
	}
	c.in, c.hello, c.stalled, c.then = nil, nil, nil, nil
}

// gone is the end of the client's connection.
func (c *conn) gone(byClient bool) {
	if c.state == stClosed && (c.s == nil || c.s.Ended()) {
		return
	}
	c.close()
	if c.s != nil && !c.s.Ended() {
		reason := "client"
		if !byClient {
			reason = "target"
		}
		c.lose("lost", "the connection ended")
		c.s.Gone(reason, "")
	}
}

// upstreamGone is the end of the target's connection.
func (c *conn) upstreamGone(message, detail string) {
	c.target = targetKey{} // nothing is left that could be cancelled
	switch {
	case c.state == stClosed:
	case c.state == stCancel:
		c.finishCancel()
	case c.state < stReady:
		c.endSession("target", fatal(codeConnectionFailure, message, "", detail))
	default:
		// What the target said last has been passed on; a FATAL of its own is among it.
		if c.fatal {
			c.endQuietly("target", message)
			return
		}
		c.endSession("target", fatal(codeConnectionFailure, message, "", detail))
	}
}

// endSession says a FATAL error and ends the connection, with its session if there is one.
func (c *conn) endSession(reason string, r wire.Report) {
	if c.s == nil {
		c.refuse(r)
		return
	}
	if c.state == stClosed {
		return
	}
	c.lose("lost", r.Message)
	c.s.Respond(0, wire.AppendError(nil, r))
	c.endQuietly(reason, r.Message)
}

// endQuietly ends the session without a word to the client.
func (c *conn) endQuietly(reason, message string) {
	c.lose("lost", message)
	c.close()
	if c.s != nil {
		c.s.End(reason, message)
		return
	}
	c.host.Close(api.FlushWrite)
}
