package ssh

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/sshbridge/front"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// maxChannels bounds the channels of one connection that are open at a time.
const maxChannels = 64

// conn is one client's connection.
type conn struct {
	server *Server
	front  front.Front
	raw    *corked
	log    *slog.Logger
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	// Set by the login.
	span   *session.Span
	target *Target
	gate   *gate.Gate
	client *ssh.ServerConn

	dial     sync.Once
	upstream atomic.Pointer[ssh.Client] // nil: there is none
	dialErr  error
	sent     *corked // the connection to the target; set before upstream

	channels atomic.Uint32 // channels so far: their numbers
	opened   atomic.Int32  // channels that are open
	running  atomic.Int32  // commands that run: one that says nothing is at work
	ending   sync.Once
	forwards forwards
	talking  sync.Mutex
	talks    map[*sessionChannel]bool
}

// serve is the whole life of a connection.
func (c *conn) serve() {
	defer c.release()
	deadline := time.Now().Add(c.loginTime(nil))
	_ = c.raw.SetDeadline(deadline)
	raw, ciphers, err := hello(c.raw, deadline)
	if err != nil {
		return
	}
	client, chans, reqs, err := ssh.NewServerConn(raw, c.config(ciphers))
	if err != nil {
		c.log.Debug("no login", "err", err)
		return
	}
	span, ok := client.Permissions.ExtraData[spanKey{}].(*session.Span)
	if !ok || span != c.span { // the handshake finished in a way that is not ours
		client.Close()
		return
	}
	_ = c.raw.SetDeadline(time.Time{})
	c.client = client
	info := span.Opened()
	c.log = c.log.With("session", span.ID())
	c.gate = &gate.Gate{Span: span, Judge: c.server.opt.Policy.Session(info.Identity, info.Target, span.Info()), Timeout: c.target.Hold,
		Log: c.log, Now: c.server.opt.Now}
	go func() { // a session that ended while the handshake went on
		select {
		case <-span.Done(): // ended says why, and closes
			select {
			case <-time.After(2 * farewellTime):
				c.raw.Close()
			case <-c.ctx.Done():
			}
		case <-c.ctx.Done():
		}
	}()
	go c.globalRequests(reqs)
	go c.keepAlive()
	go c.gate.EndIdle(c.ctx, c.target.Idle, func() bool { return c.running.Load() > 0 })
	var all sync.WaitGroup
	for ch := range chans {
		all.Go(func() { c.channel(ch) })
	}
	c.cancel() // the client is gone: holds are withdrawn, the target's side is closed
	if up := c.upstream.Load(); up != nil {
		up.Close()
	}
	all.Wait()
	c.end("client", "")
}

// release lets go of whatever the login has made, also when it failed.
func (c *conn) release() {
	c.cancel()
	if c.span != nil {
		c.span.End("client", "")
		c.span.Release()
	}
	c.dial.Do(func() {}) // nobody connects any more
	if up := c.upstream.Load(); up != nil {
		up.Close()
	}
	c.forwards.close()
}

// end ends the connection and its session.
func (c *conn) end(reason, message string) {
	c.ending.Do(func() {
		if c.span != nil {
			c.span.End(reason, message)
		}
		c.cancel()
		c.raw.Close()
	})
}

// ended is the session's word that it was ended from outside: revoked, expired, by an administrator.
func (c *conn) ended(reason, message string) {
	c.log.Info("a session is ended", "reason", reason)
	c.ending.Do(func() {
		c.farewell("dragoman: the session has ended: " + message)
		c.cancel()
		c.raw.Close()
	})
}

// farewellTime bounds the last words to a client that may not read.
const farewellTime = 500 * time.Millisecond

// farewell says why the connection ends, to every channel that has something running.
func (c *conn) farewell(words string) {
	c.talking.Lock()
	open := slices.Collect(maps.Keys(c.talks))
	c.talking.Unlock()
	said := make(chan struct{})
	go func() {
		defer close(said)
		for _, s := range open {
			s.tell(words)
		}
	}()
	select {
	case <-said:
		time.Sleep(20 * time.Millisecond) // what was written leaves before the connection is closed
	case <-time.After(farewellTime):
	}
}

// talk notes a channel that can be told something; the function forgets it.
func (c *conn) talk(s *sessionChannel) func() {
	c.talking.Lock()
	defer c.talking.Unlock()
	if c.talks == nil {
		c.talks = map[*sessionChannel]bool{}
	}
	c.talks[s] = true
	return func() {
		c.talking.Lock()
		defer c.talking.Unlock()
		delete(c.talks, s)
	}
}

// keepAlive ends the connection of a client that does not answer any more.
func (c *conn) keepAlive() {
	every := c.target.KeepAlive
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		answered := make(chan error, 1)
		go func() {
			_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		select {
		case err := <-answered:
			if err != nil {
				c.end("client", "")
				return
			}
		case <-time.After(2 * every):
			c.end("client", "the client does not answer")
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// globalRequests answers what is not about a channel.
func (c *conn) globalRequests(reqs <-chan *ssh.Request) {
	for r := range reqs {
		switch r.Type {
		case "keepalive@openssh.com":
			reply(r, true, nil)
		case "tcpip-forward", "cancel-tcpip-forward":
			c.remoteForward(r)
		default: // hostkeys-prove, no-more-sessions, streamlocal-forward …
			reply(r, false, nil)
		}
	}
}

func reply(r *ssh.Request, ok bool, payload []byte) {
	if r.WantReply {
		_ = r.Reply(ok, payload) // a client that is gone is noticed elsewhere
	}
}

// channel serves one channel that the client opens.
func (c *conn) channel(ch ssh.NewChannel) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic in an SSH channel", "panic", p)
			c.end("fault", "internal error")
		}
	}()
	if c.opened.Add(1) > maxChannels {
		c.opened.Add(-1)
		_ = ch.Reject(ssh.ResourceShortage, "too many channels")
		return
	}
	defer c.opened.Add(-1)
	switch ch.ChannelType() {
	case "session":
		c.sessionChannel(ch)
	case "direct-tcpip":
		c.directTCP(ch)
	default: // direct-streamlocal@openssh.com, tun@openssh.com, x11 …
		_ = ch.Reject(ssh.Prohibited, "dragoman: channels of type "+gate.Printable(ch.ChannelType(), 64)+" are refused")
	}
}
