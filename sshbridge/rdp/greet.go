package rdp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// greet does what comes first with a client (MS-RDPBCGR 1.3.1.1): negotiation, TLS, MCS, channels, Client Info. The target
// knows nothing of it.
func (c *conn) greet() error {
	if err := c.negotiate(); err != nil {
		return err
	}
	if err := c.conference(); err != nil {
		return err
	}
	return c.joins()
}

// negotiate answers X.224 and does TLS. Network level authentication would have the client prove a password that we know:
// a token is none, so it is asked for TLS alone, where it gives the password itself.
func (c *conn) negotiate() error {
	plain := newWire(c.raw)
	pdu, err := plain.read()
	if err != nil {
		return err
	}
	r, err := rdpwire.ParseConnectRequest(pdu)
	if err != nil {
		return err
	}
	if !r.Negotiates || r.Protocols&rdpwire.ProtocolSSL == 0 {
		return errors.Join(errors.New("the client does not do plain TLS"),
			plain.write(rdpwire.AppendConnectFailure(nil, rdpwire.FailSSLRequired)))
	}
	if plain.r.Buffered() > 0 { // it could not have been meant for TLS
		return errors.New("bytes behind the connection request")
	}
	t, ok := c.server.opt.Target(c.front.Targets[0])
	if !ok || t.Client == nil {
		return fmt.Errorf("no target %q", c.front.Targets[0])
	}
	c.requested = r.Protocols
	if err := plain.write(rdpwire.AppendConnectConfirm(nil, rdpwire.ProtocolSSL)); err != nil {
		return err
	}
	secure := tls.Server(c.raw, t.Client)
	if err := secure.HandshakeContext(c.ctx); err != nil {
		return err
	}
	_ = c.raw.SetWriteDeadline(time.Time{})
	c.tls, c.client = secure.ConnectionState(), newWire(secure)
	return nil
}

// conference does the client's MCS connect. Each channel that it asks for has an id, whatever becomes of it.
func (c *conn) conference() error {
	b, err := c.client.readData()
	if err != nil {
		return err
	}
	if c.data, err = rdpwire.ParseConnectInitial(b); err != nil {
		return err
	}
	ids := make([]uint16, len(c.data.Channels))
	for i := range ids {
		ids[i] = firstChannel + uint16(i)
	}
	blocks := rdpwire.AppendServerBlocks(nil, c.requested, ioChannel, ids)
	return c.client.write(rdpwire.AppendData(nil, rdpwire.AppendConnectResponse(nil, blocks)))
}

// maxJoins bounds what a client may send before its Client Info: every channel once, and some more.
const maxJoins = 2*rdpwire.MaxChannels + 8

// joins attaches the client's user and its channels, up to Client Info.
func (c *conn) joins() error {
	for range maxJoins {
		b, err := c.client.readData()
		if err != nil {
			return err
		}
		d, err := rdpwire.ParseDomain(b)
		if err != nil {
			return err
		}
		switch d.Kind {
		case rdpwire.ErectDomain:
		case rdpwire.AttachRequest:
			err = c.client.writeDomain(rdpwire.Domain{Kind: rdpwire.AttachConfirm, User: clientUser})
		case rdpwire.JoinRequest:
			if !c.ours(d.Channel) {
				return fmt.Errorf("the client joins channel %d", d.Channel)
			}
			err = c.client.writeDomain(rdpwire.Domain{Kind: rdpwire.JoinConfirm, User: clientUser, Channel: d.Channel})
		case rdpwire.SendRequest:
			if d.Channel != ioChannel {
				return fmt.Errorf("data on channel %d before the login", d.Channel)
			}
			c.info, err = rdpwire.ParseInfo(d.Data)
			return err
		default:
			return fmt.Errorf("MCS PDU %d before the login", d.Kind)
		}
		if err != nil {
			return err
		}
	}
	return errors.New("the client does not log in")
}

// ours reports whether the client was given a channel's id.
func (c *conn) ours(id uint16) bool {
	return id == ioChannel || id == clientUser || id >= firstChannel && int(id-firstChannel) < len(c.data.Channels)
}
