package rdpclient

import (
	"errors"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// Run reads until the connection ends; the error is how. It does what a client has to do for each desktop (MS-RDPBCGR 1.3.1.1).
func (c *Client) Run(on Events) error {
	for {
		pdu, err := c.read()
		if err != nil {
			return err
		}
		if !rdpwire.IsTPKT(pdu) {
			list, err := rdpwire.ParseUpdates(pdu)
			if err != nil {
				return err
			}
			on.updates(pdu, list)
			continue
		}
		b, err := rdpwire.Data(pdu)
		if err != nil {
			return err
		}
		d, err := rdpwire.ParseDomain(b)
		switch {
		case err != nil:
			return err
		case d.Kind == rdpwire.Disconnect:
			return errDisconnect
		case d.Channel != c.io:
			c.channel(on, pdu, d)
		case !c.licensed && rdpwire.IsLicense(d.Data): // later the same bytes may mean something else
			c.licensed = true
			if errors.Is(rdpwire.ParseLicense(d.Data), rdpwire.ErrLicense) {
				c.licensed = false
				err = c.send(c.io, rdpwire.AppendNoLicense(nil))
			}
		default:
			c.licensed = true
			err = c.shares(on, pdu, d.Data)
		}
		if err != nil {
			return err
		}
	}
}

var errDisconnect = errors.New("rdpclient: the server ends the conference")

func (on Events) updates(pdu []byte, list []rdpwire.Update) {
	if on.Updates != nil {
		on.Updates(pdu, list)
	}
}

func (c *Client) channel(on Events, pdu []byte, d rdpwire.Domain) {
	for name, id := range c.channels {
		if id == d.Channel && on.Channel != nil {
			on.Channel(name, pdu, d.Data)
		}
	}
}

func (c *Client) shares(on Events, pdu, data []byte) error {
	for len(data) > 0 {
		s, rest, err := rdpwire.NextShare(data)
		if err != nil {
			return err
		}
		if err := c.one(on, pdu, s); err != nil {
			return err
		}
		data = rest
	}
	return nil
}

func (c *Client) one(on Events, pdu []byte, s rdpwire.Share) error {
	switch {
	case s.Kind == rdpwire.ShareDemandActive:
		return c.take(on, s.Body)
	case s.Kind == rdpwire.ShareDeactivate:
		if on.Left != nil {
			on.Left()
		}
	case s.Kind != rdpwire.ShareData:
	case s.Type == rdpwire.DataFontMap:
		if on.Ready != nil {
			on.Ready(s.ShareID)
		}
	case s.Type == rdpwire.DataErrorInfo:
		if on.Info != nil {
			on.Info(s.Body)
		}
	case s.Type == rdpwire.DataUpdate:
		u, err := rdpwire.SlowUpdate(s.Body)
		if err != nil {
			return err
		}
		on.updates(pdu, []rdpwire.Update{u})
	}
	return nil
}

// take takes a desktop.
func (c *Client) take(on Events, body []byte) error {
	a, err := rdpwire.ParseDemandActive(body)
	if err != nil {
		return err
	}
	width, height, depth, ok := rdpwire.Desktop(a.Sets)
	if !ok {
		return errors.New("rdpclient: a desktop without a size")
	}
	c.mu.Lock()
	c.share, c.fast = a.ShareID, rdpwire.FastInput(a.Sets)
	c.mu.Unlock()
	if on.Desktop != nil {
		on.Desktop(a.ShareID, width, height)
	}
	sets := rdpwire.ServerSets(uint16(width), uint16(height), uint16(depth))
	confirm := rdpwire.Share{Kind: rdpwire.ShareConfirmActive, Source: c.user, Body: rdpwire.AppendConfirmActive(nil, rdpwire.Active{ShareID: a.ShareID, Sets: sets})}
	if err := c.send(c.io, rdpwire.AppendShare(nil, confirm)); err != nil {
		return err
	}
	const cooperate, request = 4, 1
	for _, s := range []struct {
		kind byte
		body []byte
	}{{rdpwire.DataSynchronize, []byte{1, 0, 0xea, 3}}, {rdpwire.DataControl, []byte{cooperate, 0, 0, 0, 0, 0, 0, 0}},
		{rdpwire.DataControl, []byte{request, 0, 0, 0, 0, 0, 0, 0}}, {rdpwire.DataFontList, []byte{0, 0, 0, 0, 3, 0, 50, 0}}} {
		if err := c.shareData(a.ShareID, s.kind, s.body); err != nil {
			return err
		}
	}
	return nil
}
