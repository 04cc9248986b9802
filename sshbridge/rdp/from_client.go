package rdp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dragoman.dev/dragoman/internal/rdpkeys"
	"dragoman.dev/dragoman/internal/rdpwire"
)

// fromClient reads what the client sends until it ends. Before the target is there the lobby takes it.
func (c *conn) fromClient() error {
	for {
		pdu, err := c.client.read()
		if err != nil {
			return err
		}
		if !rdpwire.IsTPKT(pdu) {
			events, err := rdpwire.ParseFastInput(pdu)
			if err != nil {
				return err
			}
			if err := c.inputs(events); err != nil {
				return err
			}
			continue
		}
		over, err := c.clientData(pdu)
		if over || err != nil {
			return err
		}
	}
}

// clientData handles one PDU that is not of the fast path; over says that it was the last.
func (c *conn) clientData(pdu []byte) (over bool, err error) {
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
	case d.Kind != rdpwire.SendRequest:
		return false, fmt.Errorf("MCS PDU %d after the login", d.Kind)
	case d.Channel == ioChannel:
		for rest := d.Data; len(rest) > 0; {
			var s rdpwire.Share
			if s, rest, err = rdpwire.NextShare(rest); err != nil {
				return false, err
			}
			if err := c.clientShare(s); err != nil {
				return false, err
			}
		}
		return false, nil
	}
	if clip := c.clip.Load(); clip != nil && d.Channel == clip.here {
		return false, clip.receive(ofClient, d.Data)
	}
	return false, nil // a channel that is off: nobody is there
}

// clientShare handles one share PDU of the client.
func (c *conn) clientShare(s rdpwire.Share) error {
	up := c.upstream()
	switch {
	case s.Kind == 0:
		return nil
	case up == nil || s.Kind == rdpwire.ShareData && s.ShareID == lobbyShare || c.lobby.open.Load():
		return c.lobby.receive(s)
	case s.Kind == rdpwire.ShareConfirmActive:
		return c.confirm(up, s.Body)
	case s.Kind != rdpwire.ShareData:
		return fmt.Errorf("share PDU %d of the client", s.Kind)
	}
	switch s.Type {
	case rdpwire.DataInput:
		events, err := rdpwire.ParseSlowInput(s.Body)
		if err != nil {
			return err
		}
		return c.inputs(events)
	case rdpwire.DataSynchronize: // names the one that it is for
		s.Body = []byte{1, 0, byte(c.targetUser), byte(c.targetUser >> 8)}
	case rdpwire.DataControl, rdpwire.DataFontList, rdpwire.DataRefreshRect, rdpwire.DataSuppressOutput, rdpwire.DataShutdownRequest:
		if s.Type == rdpwire.DataRefreshRect && len(s.Body) > smallBody {
			s.Body[0] = smallRects
		}
		s.Body = s.Body[:min(len(s.Body), smallBody)]
	default: // persistent bitmaps, acknowledged frames and the like were not negotiated
		return nil
	}
	return c.shareToTarget(up, s)
}

// smallBody bounds what is passed on without being recorded: no room to carry something over. A Refresh Rect PDU (a count,
// three bytes, and rectangles of 8) with smallRects is as long.
const (
	smallBody  = 28
	smallRects = 3
)

// confirm passes on that the client has taken the target's share, with the capabilities that may be known.
func (c *conn) confirm(up *wire, body []byte) error {
	a, err := rdpwire.ParseConfirmActive(body)
	if err != nil {
		return err
	}
	share := c.share.Load()
	if a.ShareID != share || c.taken.Load() {
		return nil // of a share that is over, or once more
	}
	a.Sets = rdpwire.Trim(a.Sets)
	if err := c.shareToTarget(up, rdpwire.Share{Kind: rdpwire.ShareConfirmActive, Body: rdpwire.AppendConfirmActive(nil, a)}); err != nil {
		return err
	}
	c.untaken.Store(0)
	c.taken.Store(true)
	return nil
}

func (c *conn) shareToTarget(up *wire, s rdpwire.Share) error {
	s.Source, s.ShareID = c.targetUser, c.share.Load()
	return up.writeDomain(rdpwire.Domain{Kind: rdpwire.SendRequest, User: c.targetUser, Channel: c.targetIO, Data: rdpwire.AppendShare(nil, s)})
}

// maxEvents is how many events one message carries on: what fits the head of a fast-path PDU.
const maxEvents = 15

// inputs records and passes on keys and the mouse, where they are allowed and somebody is there to take them.
func (c *conn) inputs(events []rdpwire.Input) error {
	if c.lobby.open.Load() {
		c.lobby.input(events)
		return nil
	}
	up := c.upstream()
	if up == nil || !c.taken.Load() || c.input.Ordinal == 0 {
		return nil
	}
	for len(events) > 0 {
		n := min(len(events), maxEvents)
		if err := c.inputsAtOnce(up, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

func (c *conn) inputsAtOnce(up *wire, events []rdpwire.Input) error {
	if kept := c.keep(events); len(kept) > 0 {
		if err := c.gate.Record(c.input, true, rdpwire.AppendFastInput(nil, kept)); err != nil {
			return errors.Join(errors.New("input cannot be recorded"), err)
		}
	}
	c.gate.Touch()
	if c.fastInput.Load() {
		return up.write(rdpwire.AppendFastInput(nil, events))
	}
	return c.shareToTarget(up, rdpwire.Share{Kind: rdpwire.ShareData, Type: rdpwire.DataInput, Body: rdpwire.AppendSlowInput(nil, events)})
}

// keep gives the events as they are recorded.
func (c *conn) keep(events []rdpwire.Input) []rdpwire.Input {
	switch c.target.Keyboard {
	case KeysClear:
		return events
	case KeysNone:
		var out []rdpwire.Input
		for _, in := range events {
			if in.Kind == rdpwire.InputMouse || in.Kind == rdpwire.InputMouseX {
				out = append(out, in)
			}
		}
		return out
	}
	return rdpkeys.Hide(events)
}

// le32 is a little-endian number, as all of Microsoft's part.
func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
