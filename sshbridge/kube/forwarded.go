package kube

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"sync"

	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
	"dragoman.dev/dragoman/internal/termmask"
	"dragoman.dev/dragoman/sshbridge/gate"
	"dragoman.dev/dragoman/sshbridge/kube/spdy"
)

// place is where a forwarded connection stands. It only goes forward.
type place uint8

const (
	waiting place = iota // it is judged, or the target is asked
	moving               // bytes move
	over
)

// ends is what of a connection has ended; with all of it the connection is over. What went wrong may come after the data's end.
type ends uint8

const (
	clientEnd ends = 1 << iota // the client's data
	targetEnd                  // the target's data
	errorEnd                   // what the target says of errors
	allEnds   = clientEnd | targetEnd | errorEnd
)

// maxEarly bounds what a client sends before its connection may be.
const maxEarly = 256 << 10

// forwarded is one connection to a port.
type forwarded struct {
	f            *forwarding
	port         uint16
	id           string
	number       uint32 // in the record
	data, errors uint32 // the client's streams
	ctx          context.Context
	cancel       context.CancelFunc

	up, upErrors uint32 // the target's; set before it can speak on them
	p            gate.Passed
	plan         *mask.Plan
	out          *output
	said         []byte // on the target's error stream; its reader's own

	mu       sync.Mutex
	place    place
	replied  int
	early    []byte
	earlyEnd bool
	ended    ends
	bytes    int64
	masked   int64
}

// judge asks whether the connection may be, and then the target for it. Nothing of the client's has moved so far.
func (c *forwarded) judge() {
	s := c.f.s
	act := s.connectAction(c.port)
	p, err := s.gate.Pass(c.ctx, act, gate.Digest("forward", act.Text), nil)
	if err == nil {
		c.mu.Lock()
		c.p = p
		gone := c.place == over
		c.mu.Unlock()
		if gone {
			s.gate.Result(p, record.Result{Status: "lost", Message: "the client has gone"})
			return
		}
		if c.plan, err = s.gate.Plan(&s.server.plans, p); err == nil {
			err = c.open()
		}
		if err != nil {
			s.log.Warn("a connection is not forwarded", "err", err)
			err = &gate.Refusal{Words: "dragoman: the connection cannot be made"}
		}
	}
	if err != nil {
		c.refuse(err.Error())
	}
}

// open records the connection, and asks the target for both streams.
func (c *forwarded) open() error {
	where := c.f.s.where(c.port)
	payload := append(binary.BigEndian.AppendUint32(nil, uint32(len(where))), where...)
	if err := c.f.s.gate.Record(c.p, true, sshwire.AppendRequest(nil, c.number, kube.PortForward, payload)); err != nil {
		return err
	}
	out := newOutput(termmask.New(c.plan, false), false, c.deliver, func(n int64) {
		c.mu.Lock()
		c.masked += n
		c.mu.Unlock()
	})
	c.f.mu.Lock()
	c.out = out
	c.f.mu.Unlock()
	for _, one := range []struct {
		kind string
		to   *uint32
	}{{typeError, &c.upErrors}, {typeData, &c.up}} {
		err := c.f.up.Open(map[string]string{streamType: one.kind, portHeader: strconv.Itoa(int(c.port)), pairHeader: strconv.Itoa(int(c.number))},
			func(id uint32) {
				c.f.mu.Lock()
				*one.to, c.f.theirs[id] = id, c
				c.f.mu.Unlock()
			})
		if err != nil {
			return err
		}
	}
	if c.isOver() { // meanwhile
		c.f.mu.Lock()
		delete(c.f.theirs, c.up)
		delete(c.f.theirs, c.upErrors)
		c.f.mu.Unlock()
		_ = c.f.up.Reset(c.up)
		return c.f.up.Reset(c.upErrors)
	}
	return c.f.up.End(c.upErrors) // we have nothing to say on it
}

// refuse tells the client why there is no connection.
func (c *forwarded) refuse(words string) {
	_ = c.f.client.Write(c.errors, []byte(words))
	_ = c.f.client.End(c.errors)
	_ = c.f.client.Reset(c.data)
	c.finish("error", gate.Printable(words, 512))
}

// fromClient is what comes on the client's streams.
func (c *forwarded) fromClient(e spdy.Event) error {
	switch {
	case e.Kind == spdy.Reset && e.Stream == c.data:
		c.abandon()
		return nil
	case e.Kind != spdy.Data || e.Stream != c.data: // the client says nothing on its error stream but that it has ended
		return nil
	}
	c.mu.Lock()
	switch c.place {
	case over:
		c.mu.Unlock()
		return nil
	case waiting:
		c.early, c.earlyEnd = append(c.early, e.Data...), c.earlyEnd || e.Fin
		much := len(c.early) > maxEarly
		c.mu.Unlock()
		if much {
			c.refuse("dragoman: too many bytes before the connection may be")
			c.cancelled()
		}
		return nil
	}
	c.mu.Unlock()
	return c.pass(e.Data, e.Fin)
}

func (c *forwarded) cancelled() {
	if c.cancel != nil {
		c.cancel()
	}
}

// pass records bytes of the client's and moves them on.
func (c *forwarded) pass(b []byte, end bool) error {
	if len(b) > 0 {
		if err := c.f.s.gate.Record(c.p, true, sshwire.AppendDataHead(nil, c.number, len(b)), b); err != nil {
			return err
		}
		if err := c.f.up.Write(c.up, b); err != nil {
			return err
		}
	}
	if !end {
		return nil
	}
	if err := c.f.s.gate.Record(c.p, true, sshwire.AppendEnd(nil, sshwire.MsgEOF, c.number)); err != nil {
		return err
	}
	err := c.f.up.End(c.up)
	c.end(clientEnd)
	return err
}

// fromTarget is what comes on the target's streams.
func (c *forwarded) fromTarget(e spdy.Event) error {
	switch {
	case e.Kind == spdy.Replied:
		c.mu.Lock()
		c.replied++
		both := c.replied == 2
		c.mu.Unlock()
		if both {
			c.f.wait.Go(c.begin)
		}
	case e.Stream == c.upErrors:
		return c.failed(e)
	case e.Kind == spdy.Reset:
		c.out.close()
		_ = c.f.client.Reset(c.data)
		c.end(clientEnd | targetEnd)
	default:
		if err := c.out.take(e.Data); err != nil {
			if errors.Is(err, io.ErrClosedPipe) { // the client wants no more
				return nil
			}
			return err
		}
		if e.Fin {
			c.out.close()
			err := c.f.client.End(c.data)
			c.end(targetEnd)
			return err
		}
	}
	return nil
}

func (c *forwarded) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.place == over
}

// failed is what the target says of what went wrong.
func (c *forwarded) failed(e spdy.Event) error {
	if c.said = append(c.said, e.Data...); len(c.said) > maxStatus {
		return errChannels
	}
	if e.Kind != spdy.Reset && !e.Fin {
		return nil
	}
	defer c.end(errorEnd)
	if len(c.said) > 0 {
		if err := c.f.client.Write(c.errors, []byte(maskText(c.plan, string(c.said)))); err != nil {
			return err
		}
	}
	return c.f.client.End(c.errors)
}

// begin moves what the client has sent so far; from then on its bytes move as they come.
func (c *forwarded) begin() {
	for {
		c.mu.Lock()
		b, end := c.early, c.earlyEnd
		if c.early, c.earlyEnd = nil, false; len(b) == 0 && !end {
			if c.place == waiting {
				c.place = moving
			}
			c.mu.Unlock()
			return
		}
		if end && c.place == waiting {
			c.place = moving // nothing more comes
		}
		c.mu.Unlock()
		if err := c.pass(b, end); err != nil {
			c.f.close()
			return
		}
	}
}

// deliver records bytes of the target's and gives them to the client.
func (c *forwarded) deliver(b []byte) error {
	if err := c.f.s.gate.Record(c.p, false, sshwire.AppendDataHead(nil, c.number, len(b)), b); err != nil {
		return err
	}
	c.mu.Lock()
	c.bytes += int64(len(b))
	c.mu.Unlock()
	return c.f.client.Write(c.data, b)
}

// end notes what has ended.
func (c *forwarded) end(what ends) {
	c.mu.Lock()
	c.ended |= what
	all := c.ended == allEnds
	c.mu.Unlock()
	if all {
		_ = c.f.client.End(c.errors)
		c.finish("ok", gate.Printable(maskText(c.plan, string(c.said)), 512))
	}
}

// abandon is a client that wants no more bytes; it may still want to know what went wrong.
func (c *forwarded) abandon() {
	c.cancelled()
	c.f.mu.Lock()
	up, out := c.up, c.out
	c.f.mu.Unlock()
	if up == 0 {
		_ = c.f.client.End(c.errors)
		c.finish("ok", "the client has gone")
		return
	}
	_ = c.f.up.Reset(up)
	out.abort()
	c.end(clientEnd | targetEnd)
}

// finish notes how the connection has ended, once.
func (c *forwarded) finish(status, message string) {
	c.mu.Lock()
	if c.place == over {
		c.mu.Unlock()
		return
	}
	c.place = over
	res := record.Result{Status: status, Message: message, Bytes: c.bytes, Masked: c.masked}
	p := c.p
	c.mu.Unlock()
	c.cancelled()
	c.f.mu.Lock()
	delete(c.f.pairs, c.id)
	delete(c.f.streams, c.data)
	delete(c.f.streams, c.errors)
	delete(c.f.theirs, c.up)
	delete(c.f.theirs, c.upErrors)
	out := c.out
	c.f.mu.Unlock()
	if out != nil {
		out.abort()
	}
	if p.Ordinal != 0 {
		c.f.s.gate.Result(p, res)
	}
}
