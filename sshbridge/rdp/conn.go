package rdp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"dragoman.dev/dragoman/internal/rdpscreen"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/sshbridge/front"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// Ids that the client gets. Channel ids of the target's side are the target's.
const (
	serverUser   = 1002
	ioChannel    = 1003
	firstChannel = 1004 // then one each, at most rdpwire.MaxChannels
	clientUser   = 1040
)

// defaultLogin is how long a client may take to log in, holds apart.
const defaultLogin = 30 * time.Second

// conn is one client's connection.
type conn struct {
	server *Server
	front  front.Front
	raw    net.Conn
	log    *slog.Logger
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	client    *wire
	tls       tls.ConnectionState
	requested uint32             // protocols that the client asked for
	data      rdpwire.ClientData // what it asks for
	info      rdpwire.Info

	lobby *lobby // what the client sees before there is a target

	// Set by the login, before up is there.
	span   *session.Span // guarded by last
	target *Target
	gate   *gate.Gate

	desktop, input gate.Passed               // input is none where the client may only look
	clip           atomic.Pointer[clipboard] // nil: off

	// Set by the login at the target, before up is there.
	targetUser, targetIO uint16

	// The share of the target's that the client is asked into.
	share     atomic.Uint32
	taken     atomic.Bool  // the client has confirmed it
	untaken   atomic.Int32 // desktops since it has confirmed one
	fastInput atomic.Bool  // the target takes input by the fast path

	notices notices

	// Of the one reader of the target's side.
	screen  rdpscreen.Screen // the target's, as the client sees it, but for notices; guarded by notices.mu
	inShare bool             // the client is in a share of the target's

	up     *wire // nil before; guarded by last
	ending sync.Once
	last   sync.Mutex
}

// serve is the whole life of a connection.
func (c *conn) serve() {
	defer c.release()
	_ = c.raw.SetDeadline(time.Now().Add(defaultLogin))
	if err := c.greet(); err != nil {
		c.log.Debug("no RDP client", "err", err)
		return
	}
	c.lobby = newLobby(c)
	gone := make(chan struct{})
	go func() { // the one reader of the client's side
		defer close(gone)
		defer front.Caught(c.server.opt.Log, "an RDP client's side")
		err := c.fromClient()
		c.cancel()
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
			c.log.Debug("the client's side ends", "err", err)
			c.end("protocol", "a message of the client cannot be passed on")
		} else {
			c.end("client", "")
		}
	}()
	if err := c.lobby.begin(); err == nil {
		c.work()
	}
	c.end("client", "")
	<-gone
}

// work opens the session and relays; a refusal is drawn.
func (c *conn) work() {
	err := c.open()
	if err == nil {
		err = c.connect()
	}
	var no *gate.Refusal
	switch {
	case errors.As(err, &no):
		c.lobby.refuse(no.Words)
		return
	case err != nil:
		if c.ctx.Err() == nil {
			c.log.Warn("no RDP session", "err", err)
		}
		return
	}
	go c.gate.EndIdle(c.ctx, c.target.Idle, func() bool { return false })
	err = c.fromTarget()
	switch {
	case c.ctx.Err() != nil:
	case err == nil || errors.Is(err, io.EOF):
		c.end("target", "the target closed the connection")
	default:
		c.log.Warn("an RDP session ends", "err", err)
		c.farewell()
		c.end("protocol", "a message of the target cannot be passed on: "+gate.Printable(err.Error(), 256))
	}
}

// release lets go of whatever was made.
func (c *conn) release() {
	c.cancel()
	if span := c.opened(); span != nil {
		span.End("client", "")
		span.Release()
	}
	c.closeTarget()
	if clip := c.clip.Load(); clip != nil {
		clip.work.Wait()
	}
}

// opened is the session, nil before.
func (c *conn) opened() *session.Span {
	c.last.Lock()
	defer c.last.Unlock()
	return c.span
}

// upstream is the target's side, nil before.
func (c *conn) upstream() *wire {
	c.last.Lock()
	defer c.last.Unlock()
	return c.up
}

func (c *conn) closeTarget() {
	c.last.Lock()
	defer c.last.Unlock()
	if c.up != nil {
		c.up.conn.Close()
	}
}

// setTarget makes the target's side known; false when the connection is over already.
func (c *conn) setTarget(w *wire) bool {
	c.last.Lock()
	defer c.last.Unlock()
	c.up = w
	return c.ctx.Err() == nil
}

// end ends the connection and its session.
func (c *conn) end(reason, message string) {
	c.ending.Do(func() {
		if c.upstream() != nil { // desktop and input are set
			for _, p := range []gate.Passed{c.desktop, c.input} {
				if p.Ordinal != 0 {
					c.gate.Result(p, record.Result{Status: "ok"})
				}
			}
		}
		if span := c.opened(); span != nil {
			span.End(reason, message)
		}
		c.cancel()
		c.raw.Close()
		c.closeTarget()
	})
}

// ended is the session's word that it was ended from outside: revoked, expired, by an administrator.
func (c *conn) ended(reason, message string) {
	c.log.Info("a session is ended", "reason", reason, "message", message)
	c.ending.Do(func() {
		c.farewell()
		c.cancel()
		c.raw.Close()
		c.closeTarget()
	})
}

// farewellTime bounds the last words to a client that may not read.
const farewellTime = 500 * time.Millisecond

// farewell tells the client's program that it is not the network that failed.
func (c *conn) farewell() {
	said := make(chan struct{})
	go func() {
		defer close(said)
		c.lobby.disconnect(errorByAdmin)
	}()
	select {
	case <-said:
		c.linger(farewellTime)
	case <-time.After(farewellTime):
	}
}

// linger lets the client hang up first: closing while it still sends something would take the last words from it.
func (c *conn) linger(most time.Duration) {
	select {
	case <-c.ctx.Done():
	case <-time.After(most):
	}
}

func (c *conn) loginTime() time.Duration {
	if c.target != nil && c.target.Login > 0 {
		return c.target.Login
	}
	return defaultLogin
}
