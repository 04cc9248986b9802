package mysql

import (
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/internal/mask"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/policy"
)

// state is where a connection stands. It only ever goes forward.
type state uint8

const (
	stHello       state = iota // waits for the client's answer to the greeting
	stToken                    // waits for the token
	stAuthorizing              // authz is asked
	stGreeting                 // waits for the target's greeting
	stUpstreamTLS              // the request for TLS is on its way to the target
	stLogin                    // logs in to the target
	stLoading                  // reads names and catalog before the client is told that it may begin
	stStop                     // ends what another session left behind
	stReady                    // relays
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
	hello     wire.Response
	seq       byte // of our next packet to the client
	asked     string
	scrambled bool // the client's certificate counts, but it waits to hear that its password is right
	login     *loginState
	timer     *time.Timer // bounds everything up to stReady
	abandon   func()      // withdraws the question to authz
	forget    []func()    // remove the numbers by which KILL finds the session
	behind    *leftBehind // what to end at the target should the client go
	stop      *leftBehind // what this connection, which is of the gateway itself, ends

	// the session
	s          *session.Session
	client     wire.Reader
	server     wire.Reader
	caps       uint32
	in         []byte // client bytes that wait for something
	ended      bool   // the client sends no more
	working    bool
	wait       waiting
	then       func()   // what goes on when the wait is over, before any message of the client
	dropped    func()   // says why, when all of a refused message has come
	passing    *passing // the long message whose rest is passed on
	stalled    *wire.Piece
	run        *command
	job        *job
	judge      *policy.SessionJudge
	masks      mask.Last
	prefix     string
	thread     uint32  // of the session at the target
	status     uint16  // the target's, as it last said
	buffer     *[]byte // what is made anew in the batch
	remembered []remembered
	forgotten  int        // the last of remembered whose place was taken
	plan       *mask.Plan // of the last decision that masks: for what belongs to no run
	lastClean  bool       // what the target says of the last statement quotes nothing masked

	names
	prepared map[uint32]*prepared
	last     uint32 // the statement that was prepared last
	bySQL    map[string]*prepared
}

func newConn(t *target, host filters.Conn) *conn {
	c := &conn{t: t, cfg: t.cfg.Load(), host: host, now: t.rt.Now, masks: mask.Last{Plans: &t.plans}, prepared: map[uint32]*prepared{}, bySQL: map[string]*prepared{}}
	c.client = wire.Reader{Keep: maxHello, Max: maxHello}
	c.server = wire.Reader{Keep: maxHello, Max: maxHello}
	return c
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

// begin is the start of a connection. The greeting was sent by the listener filter.
func (c *conn) begin() {
	c.seq = 2
	if err := c.t.rt.Err(); err != nil {
		c.refuse(&wire.Error{Number: errUnknown, Message: "this gateway cannot open sessions: " + err.Error()})
		return
	}
	c.timer = time.AfterFunc(c.cfg.loginTimeout(), func() {
		c.host.Post(func() {
			if c.state < stReady {
				c.endSession("expired", &wire.Error{Number: errHandshake, State: stateConnection, Message: "login took too long"})
			}
		})
	})
}

func (c *conn) onClient(b []byte) {
	switch c.state {
	case stHello, stToken:
		c.onHello(b)
	case stReady:
		c.onCommandBytes(b)
	case stClosed:
	default: // the client talks before it was told that it may
		c.lookAhead(b)
	}
}

func (c *conn) onServer(b []byte) {
	switch c.state {
	case stGreeting, stLogin:
		c.onLogin(b)
	case stUpstreamTLS:
		// Clear text that pretends to come from within TLS.
		c.endSession("protocol", broken("the target sent data before TLS"))
	case stLoading, stReady:
		c.onAnswer(b)
	case stStop:
		c.onKilled(b)
	}
}

// maxLookAhead is how much a client may send while it has to wait.
const maxLookAhead = 64 << 10

// lookAhead keeps client bytes for later. Reading stops when they are many, so that the client's going away is
// still seen and memory stays bounded.
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

// say gives an error for the client, with the next sequence number.
func (c *conn) say(e *wire.Error) []byte {
	b, next := wire.AppendPacket(nil, c.seq, e.Append(nil))
	c.seq = next
	return b
}

// refuse says no before there is a session: the error and the end.
func (c *conn) refuse(e *wire.Error) {
	if c.state == stClosed {
		return
	}
	c.host.Write(c.say(e), false)
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
	for _, f := range c.forget {
		f()
	}
	c.forget = nil
	if c.job != nil && c.job.release != nil {
		c.job.release()
	}
	c.in, c.then, c.job, c.stalled = nil, nil, nil, nil
}

// commit ends the batch: what it holds leaves once it is recorded.
func (c *conn) commit() {
	if c.s == nil || c.s.Ended() {
		return
	}
	err := c.s.Commit()
	c.release()
	if err != nil {
		c.notRecorded(err)
	}
}
