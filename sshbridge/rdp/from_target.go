package rdp

import (
	"errors"
	"fmt"

	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/session"
)

// outgoing is what will be delivered to the client together: recorded first, then written.
type outgoing struct {
	shown [][]byte // pictures and what belongs to them, recorded; in order with the rest
	all   [][]byte
	size  int
}

// maxOutgoing bounds what is recorded at once.
const maxOutgoing = 256 << 10

// fromTarget reads what the target sends until it ends. What is there already is recorded and delivered together.
func (c *conn) fromTarget() error {
	up := c.upstream()
	var o outgoing
	for {
		pdu, err := up.read()
		if err != nil {
			return err
		}
		over, err := c.targetPDU(pdu, &o)
		if err != nil {
			return err
		}
		if !over && up.more() && o.size < maxOutgoing {
			continue
		}
		if err := c.deliver(&o); over || err != nil {
			return err
		}
	}
}

// deliver records, and then writes (rule 2).
func (c *conn) deliver(o *outgoing) error {
	if len(o.all) == 0 {
		return nil
	}
	if len(o.shown) > 0 {
		err := c.span.Commit(func(b *session.Batch) {
			for _, p := range o.shown {
				b.Response(c.desktop.Ordinal, p)
			}
		})
		if err != nil {
			return errors.Join(errors.New("pictures cannot be recorded"), err)
		}
	}
	err := c.client.write(o.all...)
	o.shown, o.all, o.size = o.shown[:0], o.all[:0], 0
	return err
}

// show adds a picture, pass what is not recorded. Both copy nothing.
func (o *outgoing) show(pdu []byte) {
	o.shown = append(o.shown, pdu)
	o.pass(pdu)
}

func (o *outgoing) pass(pdu []byte) {
	o.all = append(o.all, pdu)
	o.size += len(pdu)
}

// targetPDU decodes one PDU of the target and adds what of it the client gets.
func (c *conn) targetPDU(pdu []byte, o *outgoing) (over bool, err error) {
	if !rdpwire.IsTPKT(pdu) {
		return false, c.targetUpdates(pdu, o)
	}
	b, err := rdpwire.Data(pdu)
	if err != nil {
		return false, err
	}
	d, err := rdpwire.ParseDomain(b)
	if err != nil {
		return false, err
	}
	switch {
	case d.Kind == rdpwire.Disconnect:
		return true, nil
	case d.Kind != rdpwire.SendIndicate:
		return false, fmt.Errorf("MCS PDU %d of the target", d.Kind)
	case d.Channel == c.targetIO:
		for rest := d.Data; len(rest) > 0; {
			var s rdpwire.Share
			if s, rest, err = rdpwire.NextShare(rest); err != nil {
				return false, err
			}
			if err := c.targetShare(s, o); err != nil {
				return false, err
			}
		}
		return false, nil
	}
	if clip := c.clip.Load(); clip != nil && d.Channel == clip.there {
		return false, clip.receive(ofTarget, d.Data)
	}
	return false, nil // of a channel that nobody has asked for
}

// targetUpdates draws the updates of a fast-path PDU, so that none is delivered that the record could not show.
func (c *conn) targetUpdates(pdu []byte, o *outgoing) error {
	list, err := rdpwire.ParseUpdates(pdu)
	if err != nil {
		return err
	}
	if !c.taken.Load() {
		return nil // nobody has a desktop for it; it is drawn anew for one who has
	}
	for _, u := range list {
		if err := c.apply(u); err != nil {
			return err
		}
	}
	o.show(append([]byte(nil), pdu...))
	return nil
}

func (c *conn) apply(u rdpwire.Update) error {
	c.notices.mu.Lock()
	defer c.notices.mu.Unlock()
	return c.screen.Apply(u)
}

func (c *conn) resize(width, height, depth int) error {
	c.notices.mu.Lock()
	defer c.notices.mu.Unlock()
	c.notices.depth, c.notices.rows = depth, 0
	return c.screen.Resize(width, height)
}

// targetShare handles one share PDU of the target.
func (c *conn) targetShare(s rdpwire.Share, o *outgoing) error {
	switch s.Kind {
	case 0:
		return nil
	case rdpwire.ShareDemandActive:
		return c.demand(s.Body, o)
	case rdpwire.ShareDeactivate:
		c.taken.Store(false)
		if c.inShare {
			c.inShare = false
			o.pass(c.lobby.leave(c.share.Load()))
		}
		return nil
	case rdpwire.ShareData:
		return c.targetShareData(s, o)
	case rdpwire.ShareRedirection:
		return errors.New("the target sends the client to another server, which nobody has judged")
	}
	return fmt.Errorf("share PDU %d of the target", s.Kind)
}

func (c *conn) targetShareData(s rdpwire.Share, o *outgoing) error {
	var u rdpwire.Update
	var err error
	switch s.Type {
	case rdpwire.DataUpdate:
		u, err = rdpwire.SlowUpdate(s.Body)
	case rdpwire.DataPointer:
		u, err = rdpwire.SlowPointer(s.Body)
	case rdpwire.DataSynchronize:
		s.Body = []byte{1, 0, clientUser & 0xff, clientUser >> 8}
		o.pass(c.shareToClient(s))
		return nil
	case rdpwire.DataControl, rdpwire.DataFontMap, rdpwire.DataKeyIndicators, rdpwire.DataShutdownDenied, rdpwire.DataErrorInfo:
		s.Body = s.Body[:min(len(s.Body), smallBody)]
		o.pass(c.shareToClient(s))
		return nil
	default: // the login's details, cookies to come back with, sounds, monitors: not the client's business
		return nil
	}
	if err != nil || !c.taken.Load() {
		return err
	}
	if err := c.apply(u); err != nil {
		return err
	}
	o.show(c.shareToClient(s))
	return nil
}

// maxUntaken bounds desktops that come before the client has taken one of them: each costs its memory anew.
const maxUntaken = 16

// demand takes the client into the target's share: out of the lobby, or out of the share before.
func (c *conn) demand(body []byte, o *outgoing) error {
	a, err := rdpwire.ParseDemandActive(body)
	if err != nil {
		return err
	}
	if c.untaken.Add(1) > maxUntaken {
		return errors.New("the target shows desktops faster than the client takes them")
	}
	width, height, depth, ok := rdpwire.Desktop(a.Sets)
	if !ok {
		return errors.New("the target does not say how large its desktop is")
	}
	if err := c.resize(width, height, depth); err != nil {
		return err
	}
	c.taken.Store(false)
	if a.ShareID == lobbyShare { // told apart by it; the target does not mind another
		return fmt.Errorf("the target's share is %#x, the lobby's own", a.ShareID)
	}
	if c.inShare || c.lobby.open.Load() {
		o.pass(c.lobby.leave(a.ShareID))
	}
	c.lobby.enter(a.ShareID)
	c.inShare = true
	c.share.Store(a.ShareID)
	c.fastInput.Store(rdpwire.FastInput(a.Sets))
	a.Sets = rdpwire.Trim(a.Sets)
	o.show(c.shareToClient(rdpwire.Share{Kind: rdpwire.ShareDemandActive, Body: rdpwire.AppendDemandActive(nil, a)}))
	return nil
}
