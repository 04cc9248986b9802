// Package rdpclient is a client of RDP without a window, for tests and benches: it logs in by TLS or by network level
// authentication, takes each desktop that it is shown, and hands out what it is sent, byte for byte. It asks for what the
// gateway asks of targets, bitmaps and nothing else, so that what it sees directly and through the gateway can be compared.
// The gateway itself does not use it.
package rdpclient

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/credssp"
	"dragoman.dev/dragoman/internal/rdpkeys"
	"dragoman.dev/dragoman/internal/rdpwire"
)

// Options of a login.
type Options struct {
	Address, User, Password string
	// NLA proves the password before the server shows anything.
	NLA           bool
	Width, Height uint16
	Channels      []string
}

// Events are called by Run, for whatever it reads; those that are nil are not. What they are given is valid until they return.
type Events struct {
	// Desktop is shown next; the client has not taken it yet.
	Desktop func(share uint32, width, height int)
	// Ready says that it has.
	Ready func(share uint32)
	// Left says that the desktop is over.
	Left func()
	// Updates are what a PDU shows.
	Updates func(pdu []byte, list []rdpwire.Update)
	// Channel has data of a static channel, of one PDU.
	Channel func(name string, pdu, data []byte)
	// Info is the server's reason to hang up.
	Info func(code []byte)
}

// Client is one that is logged in. One goroutine runs; any may send.
type Client struct {
	conn     net.Conn
	r        *bufio.Reader
	buf      []byte
	user, io uint16
	channels map[string]uint16
	licensed bool

	mu    sync.Mutex
	share uint32
	fast  bool // the server takes input by the fast path
}

// Dial logs in, up to Client Info.
func Dial(ctx context.Context, o Options) (*Client, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	c := &Client{conn: raw, r: bufio.NewReader(raw), channels: map[string]uint16{}}
	if err := c.login(ctx, o); err != nil {
		raw.Close()
		return nil, fmt.Errorf("rdpclient: %w", err)
	}
	return c, nil
}

func (c *Client) login(ctx context.Context, o Options) error {
	protocol := uint32(rdpwire.ProtocolSSL)
	if o.NLA {
		protocol |= rdpwire.ProtocolHybrid
	}
	if _, err := c.conn.Write(rdpwire.AppendConnectRequest(nil, protocol)); err != nil {
		return err
	}
	pdu, err := c.read()
	if err != nil {
		return err
	}
	selected, err := rdpwire.ParseConnectConfirm(pdu)
	if err != nil {
		return err
	}
	secure := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}) // a test's own server
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	c.conn, c.r = secure, bufio.NewReaderSize(secure, 64<<10)
	if selected == rdpwire.ProtocolHybrid {
		host, _, _ := net.SplitHostPort(o.Address)
		if err := credssp.Login(secure, secure.ConnectionState().PeerCertificates[0], host, credssp.Credentials{User: o.User, Password: o.Password}, time.Now()); err != nil {
			return err
		}
	}
	if err := c.domain(o, selected); err != nil {
		return err
	}
	return c.send(c.io, rdpwire.AppendInfo(nil, rdpwire.Info{User: o.User, Password: o.Password, CodePage: usLayout}))
}

const usLayout = 0x409

// domain does MCS.
func (c *Client) domain(o Options, selected uint32) error {
	data := rdpwire.ClientData{Core: rdpwire.Core{Version: 0x80004, Width: o.Width, Height: o.Height, Depth: 24, Want32: true, KeyboardLayout: usLayout,
		KeyboardType: 4, KeyboardKeys: 12, Build: 2600, Name: "rdpclient"}}
	for _, name := range o.Channels {
		data.Channels = append(data.Channels, rdpwire.Channel{Name: name, Options: 0xc0a00000})
	}
	if err := c.write(rdpwire.AppendConnectInitial(nil, rdpwire.AppendClientBlocks(nil, data, selected))); err != nil {
		return err
	}
	b, err := c.readData()
	if err != nil {
		return err
	}
	theirs, err := rdpwire.ParseConnectResponse(b)
	if err != nil || len(theirs.Channels) < len(o.Channels) {
		return errors.Join(err, errors.New("no channels"))
	}
	if err := c.write(rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.ErectDomain})); err != nil {
		return err
	}
	d, err := c.ask(rdpwire.Domain{Kind: rdpwire.AttachRequest})
	if err != nil {
		return err
	}
	c.user, c.io = d.User, theirs.IOChannel
	for i, name := range o.Channels {
		c.channels[name] = theirs.Channels[i]
	}
	for _, id := range append([]uint16{c.user, c.io}, theirs.Channels...) {
		if _, err := c.ask(rdpwire.Domain{Kind: rdpwire.JoinRequest, User: c.user, Channel: id}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) ask(d rdpwire.Domain) (rdpwire.Domain, error) {
	if err := c.write(rdpwire.AppendDomain(nil, d)); err != nil {
		return d, err
	}
	b, err := c.readData()
	if err != nil {
		return d, err
	}
	return rdpwire.ParseDomain(b)
}

// Close hangs up.
func (c *Client) Close() error { return c.conn.Close() }

// read gives the next PDU, valid until the next read.
func (c *Client) read() ([]byte, error) {
	n := 0
	for have := 2; n == 0; have++ {
		head, err := c.r.Peek(have)
		if err != nil {
			return nil, err
		}
		if n, err = rdpwire.PDULength(head); err != nil {
			return nil, err
		}
	}
	c.buf = slices.Grow(c.buf[:0], n)[:n]
	_, err := io.ReadFull(c.r, c.buf)
	return c.buf, err
}

func (c *Client) readData() ([]byte, error) {
	pdu, err := c.read()
	if err != nil {
		return nil, err
	}
	return rdpwire.Data(pdu)
}

func (c *Client) write(payload []byte) error {
	_, err := c.conn.Write(rdpwire.AppendData(nil, payload))
	return err
}

func (c *Client) send(channel uint16, data []byte) error {
	return c.write(rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendRequest, User: c.user, Channel: channel, Data: data}))
}

// Message sends a message of a static channel.
func (c *Client) Message(name string, message []byte) error {
	return rdpwire.Chunks(message, func(b []byte) error { return c.send(c.channels[name], b) })
}

// Type types text on a US keyboard.
func (c *Client) Type(text string) error { return c.Input(rdpkeys.Typed(text)...) }

// Input sends keys and the mouse, on the path that the server takes them by.
func (c *Client) Input(events ...rdpwire.Input) error {
	c.mu.Lock()
	share, fast := c.share, c.fast
	c.mu.Unlock()
	const most = 15
	for part := range slices.Chunk(events, most) {
		var err error
		if fast {
			_, err = c.conn.Write(rdpwire.AppendFastInput(nil, part))
		} else {
			err = c.shareData(share, rdpwire.DataInput, rdpwire.AppendSlowInput(nil, part))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) shareData(share uint32, kind byte, body []byte) error {
	return c.send(c.io, rdpwire.AppendShare(nil, rdpwire.Share{Kind: rdpwire.ShareData, Source: c.user, ShareID: share, Type: kind, Body: body}))
}
