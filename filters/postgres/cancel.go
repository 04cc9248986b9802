package postgres

import (
	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/record"
)

// originalDst is the filter state by which an ORIGINAL_DST cluster takes its address.
const originalDst = "envoy.network.transport_socket.original_dst_address"

// cancelState is a connection that carries a cancel request.
type cancelState struct{ key targetKey }

// onCancelRequest looks the key up. A wrong key gets no answer and does nothing.
func (c *conn) onCancelRequest(first *wire.Startup) {
	c.state = stCancel
	k := c.t.rt.FindCancel(first.PID, first.Secret)
	if k == nil {
		c.finishCancel()
		return
	}
	if left, ok := k.Session.(leftBehind); ok {
		c.forwardCancel(targetKey(left), true)
		return
	}
	owner, ok := k.Session.(*conn)
	if !ok || !k.Post(func() {
		key, forward := owner.cancelled()
		c.host.Post(func() { c.forwardCancel(key, forward) })
	}) {
		c.finishCancel()
	}
}

// cancelled is called on the session that is to be cancelled. A held statement is
// withdrawn; anything else is for the target.
func (c *conn) cancelled() (targetKey, bool) {
	if c.state != stReady {
		return targetKey{}, false
	}
	c.s.Frame(record.KindNote, 0, record.Note{What: "cancel"})
	if h := c.s.Waits(); h != nil {
		h.Withdraw()
		c.commit()
		return targetKey{}, false
	}
	c.commit()
	return c.target, c.relay.queue.len() > 0
}

// forwardCancel sends the target's own key on a connection of its own, to the same endpoint.
func (c *conn) forwardCancel(key targetKey, forward bool) {
	if c.state != stCancel {
		return
	}
	if !forward {
		c.finishCancel()
		return
	}
	c.cancel = &cancelState{key: key}
	if cluster := key.cluster; cluster != "" && key.addr != "" {
		if err := c.host.Route(cluster); err != nil {
			c.t.rt.Log().Error("cancel request", "target", c.cfg.Target.Name, "error", err)
			c.finishCancel()
			return
		}
		c.host.StreamInfo().FilterState().SetString(originalDst, key.addr, api.StateTypeReadOnly, api.LifeSpanConnection, api.None)
	}
	c.host.Connect()
	if key.tls {
		c.state = stUpstreamTLS
		c.host.Upstream().Write(wire.SSLRequest(), false)
		return
	}
	c.sendCancel()
}

func (c *conn) sendCancel() {
	c.state = stCancel
	c.host.Upstream().Write(wire.AppendCancel(nil, c.cancel.key.pid, c.cancel.key.secret), false)
}

// onCancelAnswer: the target never answers a cancel request, it closes.
func (c *conn) onCancelAnswer([]byte) { c.finishCancel() }

func (c *conn) finishCancel() {
	if c.state != stClosed {
		c.close()
		c.host.Close(api.FlushWrite)
	}
}
