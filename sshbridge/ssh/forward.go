package ssh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// forwardOpen is the payload of direct-tcpip and forwarded-tcpip (RFC 4254, section 7.2).
type forwardOpen struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

// forwardAction is a forwarded connection as policy sees it: verb "connect" from the client's side through the target,
// "listen" for a port of the target, "accept" for what comes there. What rules call its path is HOST:PORT.
func forwardAction(verb, host string, port uint32) action.Action {
	where := net.JoinHostPort(gate.Printable(host, 256), strconv.FormatUint(uint64(port), 10))
	act := gate.Plain(action.KindForward, verb, verb+" "+where)
	act.Params = append(act.Params, action.Param{Name: "host", Value: gate.Printable(host, 256)}, action.Param{Name: "port", Value: strconv.FormatUint(uint64(port), 10)})
	act.Writes = append(act.Writes, action.Object{Name: strings.ToLower(where), Columns: []string{}})
	return act
}

// plainHost reports whether a host is one that policy sees as the target does: a name, an address, or nothing.
func plainHost(host string) bool {
	for _, k := range []byte(host) {
		if (k < '0' || k > '9') && (k|0x20 < 'a' || k|0x20 > 'z') && strings.IndexByte(".-_:%*", k) < 0 {
			return false
		}
	}
	return len(host) <= 255
}

const forwardHint = "the target's ssh.forward allows it to be judged"

// judgeForward asks whether a forwarded connection may be.
func (c *conn) judgeForward(act action.Action) (gate.Passed, error) {
	if !c.target.Forward {
		return gate.Passed{}, c.refuse(act, "target.forward", "forwarded connections are off for this target", forwardHint)
	}
	return c.pass(c.ctx, act, gate.Digest("forward", act.Text), nil)
}

// directTCP is a connection that the client wants to make from the target's side.
func (c *conn) directTCP(nc ssh.NewChannel) {
	var o forwardOpen
	if err := ssh.Unmarshal(nc.ExtraData(), &o); err != nil || o.Port > 65535 || !plainHost(o.Host) {
		_ = nc.Reject(ssh.ConnectionFailed, "malformed")
		return
	}
	p, err := c.judgeForward(forwardAction("connect", o.Host, o.Port))
	if err != nil {
		_ = nc.Reject(ssh.Prohibited, err.Error())
		return
	}
	up, err := c.connect()
	if err != nil {
		c.result(p, record.Result{Status: "error", Message: "the target cannot be reached"})
		_ = nc.Reject(ssh.ConnectionFailed, "the target cannot be reached")
		return
	}
	target, reqs, err := up.OpenChannel("direct-tcpip", ssh.Marshal(&o))
	if err != nil {
		c.result(p, record.Result{Status: "error", Message: err.Error()})
		_ = nc.Reject(ssh.ConnectionFailed, gate.Printable(err.Error(), 256))
		return
	}
	client, creqs, err := nc.Accept()
	if err != nil {
		target.Close()
		return
	}
	go ssh.DiscardRequests(reqs)
	go ssh.DiscardRequests(creqs)
	c.relay(p, client, target)
}

// relay moves the bytes of a forwarded connection, recorded before they move.
func (c *conn) relay(p gate.Passed, client, target ssh.Channel) {
	number := c.channels.Add(1)
	s := &sessionChannel{c: c, number: number, client: client, ctx: c.ctx, cancel: func() {}}
	plan, err := c.gate.Plan(&c.server.plans, p)
	if err != nil {
		client.Close()
		target.Close()
		return
	}
	proc := &process{s: s, p: p, target: target, plan: plan}
	stop := make(chan struct{})
	go func() {
		select {
		case <-c.ctx.Done():
			target.Close()
			client.Close()
		case <-stop:
		}
	}()
	var both sync.WaitGroup
	both.Go(func() { proc.stdin(nil) })
	both.Go(func() {
		proc.output(target, client, sshwire.AppendDataHead, nil)
		_ = client.CloseWrite()
	})
	both.Wait()
	close(stop)
	target.Close()
	client.Close()
	c.result(p, record.Result{Status: "ok", Bytes: proc.bytes, Masked: proc.masked})
}

// forwards are the ports of the target that the client has asked for.
type forwards struct {
	mu     sync.Mutex
	list   map[string]net.Listener
	closed bool
}

// maxForwards bounds them.
const maxForwards = 16

func (f *forwards) add(key string, l net.Listener) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || len(f.list) >= maxForwards || f.list[key] != nil {
		return false
	}
	if f.list == nil {
		f.list = map[string]net.Listener{}
	}
	f.list[key] = l
	return true
}

func (f *forwards) remove(key string) net.Listener {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.list[key]
	delete(f.list, key)
	return l
}

func (f *forwards) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, l := range f.list {
		go l.Close() // it asks the target, which may be gone
	}
}

// remoteForward is a request for a port of the target, or its end (RFC 4254, section 7.1).
func (c *conn) remoteForward(r *ssh.Request) {
	var o struct {
		Host string
		Port uint32
	}
	if err := ssh.Unmarshal(r.Payload, &o); err != nil || o.Port > 65535 || !plainHost(o.Host) {
		reply(r, false, nil)
		return
	}
	if r.Type == "cancel-tcpip-forward" {
		l := c.forwards.remove(fmt.Sprint(o.Host, ":", o.Port))
		if l != nil {
			l.Close()
		}
		reply(r, l != nil, nil)
		return
	}
	p, err := c.judgeForward(forwardAction("listen", o.Host, o.Port))
	if err != nil {
		reply(r, false, nil)
		return
	}
	up, err := c.connect()
	if err == nil {
		var l net.Listener
		if l, err = up.Listen("tcp", net.JoinHostPort(orAny(o.Host), strconv.FormatUint(uint64(o.Port), 10))); err == nil {
			port := uint32(l.Addr().(*net.TCPAddr).Port)
			if c.forwards.add(fmt.Sprint(o.Host, ":", port), l) {
				c.result(p, record.Result{Status: "ok"})
				var payload []byte
				if o.Port == 0 {
					payload = binary.BigEndian.AppendUint32(nil, port)
				}
				reply(r, true, payload)
				go c.accept(l, o.Host, port)
				return
			}
			l.Close()
			err = errors.New("too many forwarded ports")
		}
	}
	c.result(p, record.Result{Status: "error", Message: gate.Printable(err.Error(), 256)})
	reply(r, false, nil)
}

func orAny(host string) string {
	if host == "" || host == "*" {
		return "0.0.0.0"
	}
	return host
}

// accept hands the client what comes to a port of the target; each connection is an action.
func (c *conn) accept(l net.Listener, host string, port uint32) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer in.Close()
			p, err := c.judgeForward(forwardAction("accept", host, port))
			if err != nil {
				return
			}
			origin, originPort, _ := net.SplitHostPort(in.RemoteAddr().String())
			from, _ := strconv.ParseUint(originPort, 10, 16)
			client, reqs, err := c.client.OpenChannel("forwarded-tcpip", ssh.Marshal(&forwardOpen{host, port, origin, uint32(from)}))
			if err != nil {
				c.result(p, record.Result{Status: "error", Message: "the client takes no connection"})
				return
			}
			go ssh.DiscardRequests(reqs)
			c.relay(p, client, netChannel{in})
		}()
	}
}

// netChannel makes a channel of a connection that x/crypto/ssh has accepted for us.
type netChannel struct{ net.Conn }

// SendRequest and Stderr complete ssh.Channel; a connection has neither.
func (netChannel) SendRequest(string, bool, []byte) (bool, error) {
	return false, errors.New("a connection takes no requests")
}

func (netChannel) Stderr() io.ReadWriter { return nil }

func (n netChannel) CloseWrite() error {
	if w, ok := n.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}
