package mysql

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters/mysql/login"
	"dragoman.dev/dragoman/filters/session"
	"dragoman.dev/dragoman/filters/statement"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// A server does not notice that its client is gone as long as a statement runs: it would go on, and commit. So when a
// session ends with a command under way, the gateway has the target end its session there, with KILL on a connection of its own
// with the same login. Only a connection through Envoy gets to the target, so the gateway connects to its own
// listener, without TLS as nothing secret but a key made for the purpose is said, and that goes no further than this process.

// leftBehind is a session at a target whose client is gone, and how to get there again: numbers of sessions mean
// something at this endpoint only.
type leftBehind struct {
	thread         uint32
	addr, cluster  string
	tls            bool
	user, password string
	prefix         string // the comment that tells who it was for
}

// originalDst is the filter state by which an ORIGINAL_DST cluster takes its address.
const originalDst = "envoy.network.transport_socket.original_dst_address"

// pluginStop is the name of the plugin with which the gateway tells itself what to end. Its answer is a number (4) and a secret.
const pluginStop = "dragoman_stop"

const stopSecret = 32

const (
	// maxStops bounds how many sessions are ended at a time, for each target.
	maxStops = 16
	// stopPatience bounds the wait for one's turn and the ending.
	stopPatience = 15 * time.Second
)

// leaves remembers what the target has to end should the client go.
func (c *conn) leaves(user, password string) {
	c.behind = &leftBehind{addr: c.host.UpstreamAddr(), cluster: c.cfg.CancelCluster, tls: c.cfg.UpstreamTLS, user: user, password: password}
}

// stopTarget has the target end what the session left behind. It is best effort: nobody waits for it.
func (c *conn) stopTarget() {
	b, local, t := c.behind, c.host.LocalAddr(), c.t
	c.behind = nil
	if b == nil || b.thread == 0 || b.addr == "" || b.cluster == "" || local == "" {
		return
	}
	b.prefix = c.prefix
	key := make([]byte, 4+stopSecret)
	_, _ = rand.Read(key) // never fails
	forget := t.rt.AddCancel(&session.Cancel{PID: binary.LittleEndian.Uint32(key), Secret: key[4:], Session: b,
		Post: func(func()) bool { return false }})
	go func() {
		defer forget()
		ctx, stop := context.WithTimeout(context.Background(), stopPatience)
		defer stop()
		if err := t.sendStop(ctx, local, key); err != nil {
			t.rt.Log().Warn("ending what a session left behind", "target", t.cfg.Load().Target.Name, "error", err)
		}
	}()
}

// sendStop tells a listener of ours what to end, and waits until that is done.
func (t *target) sendStop(ctx context.Context, local string, key []byte) error {
	select {
	case t.stops <- struct{}{}:
		defer func() { <-t.stops }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", local)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, conn, int64(head[0])|int64(head[1])<<8); err != nil { // the greeting is a short one of ours
		return err
	}
	r := wire.Response{Caps: wire.CapProtocol41 | wire.CapSecure | wire.CapPluginAuth, MaxPacket: 1 << 24, Charset: charsetUTF8, Auth: key, Plugin: pluginStop}
	hello, _ := wire.AppendPacket(nil, 1, r.Append(nil))
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(conn, maxHello))
	return err
}

// onStop is a connection that says what to end. A wrong key ends nothing and reaches no target.
func (c *conn) onStop(key []byte) {
	var b *leftBehind
	if len(key) == 4+stopSecret {
		if k := c.t.rt.FindCancel(binary.LittleEndian.Uint32(key), key[4:]); k != nil {
			b, _ = k.Session.(*leftBehind)
		}
	}
	if b == nil {
		c.refuse(&wire.Error{Number: errAccess, State: stateRejected, Message: "Access denied"})
		return
	}
	if err := c.host.Route(b.cluster); err != nil {
		c.stopped(err.Error())
		return
	}
	c.host.StreamInfo().FilterState().SetString(originalDst, b.addr, api.StateTypeReadOnly, api.LifeSpanConnection, api.None)
	c.stop, c.state = b, stGreeting
	c.host.Connect()
}

// stopGreeting logs in as the session did.
func (c *conn) stopGreeting(g *wire.Greeting, seq byte) {
	b := c.stop
	switch {
	case g.Thread <= b.thread:
		c.stopped("the target's numbers of sessions have begun anew") // and mean others
		return
	case b.tls && g.Caps&wire.CapSSL == 0:
		c.stopped("the target does not offer TLS any longer")
		return
	}
	l := &loginState{greeting: *g, seq: seq}
	l.client = login.New(login.Options{User: b.user, Password: b.password, TLS: b.tls, Local: statement.Local(c.host.UpstreamAddr())}, g)
	l.response = wire.Response{Caps: wire.CapProtocol41 | wire.CapSecure | wire.CapPluginAuth | wire.CapLongPassword | g.Caps&wire.CapAuthLenenc,
		MaxPacket: 1 << 24, Charset: charsetUTF8, User: b.user}
	c.login = l
	if b.tls {
		c.askTLS()
		return
	}
	c.respond()
}

// sendKill ends the session that was left behind.
func (c *conn) sendKill() {
	c.login, c.state = nil, stStop
	body := append([]byte{wire.ComQuery}, fmt.Sprintf("%sKILL %d", c.stop.prefix, c.stop.thread)...)
	b, _ := wire.AppendPacket(nil, 0, body)
	c.host.Upstream().Write(b, false)
}

// onKilled is the target's answer. That there is no such session any more is what is wanted.
func (c *conn) onKilled(b []byte) {
	c.server.Feed(b)
	m, ok, err := c.server.Next()
	if err == nil && !ok {
		c.server.Keeps()
		return
	}
	why := ""
	if err != nil {
		why = err.Error()
	} else if e, err := wire.DecodeError(m.Body); err == nil && e.Number != errUnknownThread {
		why = e.Message
	}
	c.stopped(why)
}

// stopped ends the connection.
func (c *conn) stopped(why string) {
	if c.state == stClosed {
		return
	}
	if why != "" {
		c.t.rt.Log().Warn("ending what a session left behind", "target", c.cfg.Target.Name, "error", why)
	}
	c.close()
	c.host.Close(api.FlushWrite)
}
