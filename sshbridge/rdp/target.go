package rdp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/credssp"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/sshbridge/gate"
)

const clipboardName = "cliprdr"

// connect judges what the session is for, and then reaches the target and logs in. The session is authorised by
// then (rule 1).
func (c *conn) connect() error {
	if err := c.openDesktop(); err != nil {
		return err
	}
	channels, err := c.openChannels()
	if err != nil {
		return err
	}
	if err := c.lobby.wait(); err != nil {
		return err
	}
	c.lobby.say("connecting to " + c.target.Policy.Name + " ...")
	err = c.dial(channels)
	c.span.DropCredentials()
	if err != nil {
		if c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		c.log.Warn("the target cannot be reached", "err", err)
		c.gate.Result(c.desktop, record.Result{Status: "error", Message: "the target cannot be reached"})
		return &gate.Refusal{Words: "the target cannot be reached"}
	}
	return nil
}

// openDesktop judges that the screen is shown, and that keys and mouse are passed on.
func (c *conn) openDesktop() error {
	o := c.data.Core
	size := fmt.Sprintf("%dx%d", o.Width, o.Height)
	p, err := c.gate.Pass(c.ctx, channelAction("open", ofChannel, "desktop", "open desktop "+size, false), gate.Digest("desktop", size), c.waiting)
	if err != nil {
		return err
	}
	plan, err := c.gate.Plan(&c.server.plans, p)
	if err != nil || plan.HasText() && !plan.PassOpaque() {
		c.gate.Result(p, record.Result{Status: "blocked", Message: "a picture cannot be masked"})
		return errors.Join(&gate.Refusal{Words: "masks with detectors apply to this target, and a picture cannot be masked; limit them by their targets, or say opaque: allow"}, err)
	}
	c.desktop = p
	in, err := c.gate.Pass(c.ctx, channelAction("open", ofChannel, "input", "open input", true), gate.Digest("input"), c.waiting)
	var no *gate.Refusal
	switch {
	case err == nil:
		c.input = in
	case !errors.As(err, &no):
		return err
	} // refused: the client may look
	return nil
}

// waiting shows that people are asked.
func (c *conn) waiting(words string) { c.lobby.say(words) }

// openChannels gives the channels that the target is asked for: the clipboard, where it is allowed. The others are drives, printers,
// smart cards, sound, USB and whatever dynamic channels carry.
func (c *conn) openChannels() (out []rdpwire.Channel, err error) {
	var off []string
	for i, ch := range c.data.Channels {
		if ch.Name != clipboardName || !c.target.Clipboard || len(out) > 0 {
			off = append(off, gate.Printable(ch.Name, 8))
			continue
		}
		p, err := c.gate.Pass(c.ctx, channelAction("open", ofChannel, "clipboard", "open clipboard", true), gate.Digest(clipboardName), c.waiting)
		var no *gate.Refusal
		if errors.As(err, &no) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c.clip.Store(newClipboard(c, firstChannel+uint16(i), p))
		const initialized, showProtocol = 0x80000000, 0x00200000
		out = append(out, rdpwire.Channel{Name: clipboardName, Options: initialized | showProtocol})
	}
	if len(off) == 0 {
		return out, nil
	}
	return out, c.span.Commit(func(b *session.Batch) {
		b.Frame(record.KindNote, 0, record.Note{What: "channels that the client asked for and that are off", Detail: map[string]any{"channels": off}})
	})
}

// dial tries the target's addresses.
func (c *conn) dial(channels []rdpwire.Channel) error {
	timeout := c.target.Connect
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	creds := c.span.Opened().Credentials
	if creds.User == "" {
		creds.User = c.span.Info().User
	}
	if creds.User == "" || creds.Password == "" {
		return errors.New("the target has no user or no password")
	}
	var last error
	for _, addr := range c.target.Addresses {
		d := net.Dialer{Timeout: timeout, KeepAlive: time.Minute}
		raw, err := d.DialContext(c.ctx, "tcp", addr)
		if err == nil {
			if err = c.enter(raw, addr, creds, channels); err == nil {
				return nil
			}
			raw.Close()
		}
		last = fmt.Errorf("%s: %w", addr, err)
	}
	return last
}

// enter does a client's part with the target, up to the end of licensing.
func (c *conn) enter(raw net.Conn, addr string, creds check.Credentials, channels []rdpwire.Channel) error {
	stop := context.AfterFunc(c.ctx, func() { raw.Close() })
	defer stop()
	_ = raw.SetDeadline(time.Now().Add(c.loginTime()))
	user := userOf(creds)
	secure, selected, err := c.secure(raw, addr, user)
	if err != nil {
		return err
	}
	w := newWire(secure)
	if err := c.enterDomain(w, selected, channels); err != nil {
		return err
	}
	info := rdpwire.AppendInfo(nil, rdpwire.Info{Domain: user.Domain, User: user.User, Password: user.Password, CodePage: c.info.CodePage,
		Performance: c.info.Performance, TimeZone: c.info.TimeZone})
	if err := w.writeDomain(rdpwire.Domain{Kind: rdpwire.SendRequest, User: c.targetUser, Channel: c.targetIO, Data: info}); err != nil {
		return err
	}
	if err := c.licensed(w); err != nil {
		return err
	}
	_ = raw.SetDeadline(time.Time{})
	if !c.setTarget(w) {
		return c.ctx.Err()
	}
	return nil
}

// userOf splits DOMAIN\USER.
func userOf(creds check.Credentials) credssp.Credentials {
	out := credssp.Credentials{User: creds.User, Password: creds.Password}
	if domain, user, ok := strings.Cut(creds.User, `\`); ok {
		out.Domain, out.User = domain, user
	}
	return out
}

// secure negotiates, does TLS with a target that proves itself, and logs in by network level authentication.
func (c *conn) secure(raw net.Conn, addr string, user credssp.Credentials) (*tls.Conn, uint32, error) {
	offer := uint32(rdpwire.ProtocolSSL | rdpwire.ProtocolHybrid)
	plain := newWire(raw)
	if err := plain.write(rdpwire.AppendConnectRequest(nil, offer)); err != nil {
		return nil, 0, err
	}
	pdu, err := plain.read()
	if err != nil {
		return nil, 0, err
	}
	selected, err := rdpwire.ParseConnectConfirm(pdu)
	switch {
	case err != nil:
		return nil, 0, err
	case selected == rdpwire.ProtocolSSL && c.target.NLA:
		return nil, 0, errors.New("the target does no network level authentication, which rdp.nla asks for")
	case selected != rdpwire.ProtocolSSL && selected != rdpwire.ProtocolHybrid:
		return nil, 0, fmt.Errorf("the target chooses protocol %d", selected)
	}
	_ = raw.SetDeadline(time.Now().Add(c.loginTime()))
	host, _, _ := net.SplitHostPort(addr)
	cfg := c.target.TLS.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	secure := tls.Client(raw, cfg)
	if err := secure.HandshakeContext(c.ctx); err != nil {
		return nil, 0, err
	}
	if selected == rdpwire.ProtocolHybrid {
		var leaf *x509.Certificate = secure.ConnectionState().PeerCertificates[0]
		if err := credssp.Login(secure, leaf, host, user, c.server.opt.Now()); err != nil {
			return nil, 0, err
		}
	}
	return secure, selected, nil
}

// enterDomain does MCS: conference, user, channels.
func (c *conn) enterDomain(w *wire, selected uint32, channels []rdpwire.Channel) error {
	ours := c.data
	ours.Channels = channels
	blocks := rdpwire.AppendClientBlocks(nil, ours, selected)
	if err := w.write(rdpwire.AppendData(nil, rdpwire.AppendConnectInitial(nil, blocks))); err != nil {
		return err
	}
	b, err := w.readData()
	if err != nil {
		return err
	}
	theirs, err := rdpwire.ParseConnectResponse(b)
	if err != nil {
		return err
	}
	if theirs.Encryption != 0 || len(theirs.Channels) != len(channels) {
		return errors.New("the target wants encryption below TLS, or other channels")
	}
	if err := w.writeDomain(rdpwire.Domain{Kind: rdpwire.ErectDomain}); err != nil {
		return err
	}
	d, err := ask(w, rdpwire.Domain{Kind: rdpwire.AttachRequest}, rdpwire.AttachConfirm)
	if err != nil {
		return err
	}
	c.targetUser, c.targetIO = d.User, theirs.IOChannel
	for _, id := range append([]uint16{c.targetUser, c.targetIO}, theirs.Channels...) {
		if _, err := ask(w, rdpwire.Domain{Kind: rdpwire.JoinRequest, User: c.targetUser, Channel: id}, rdpwire.JoinConfirm); err != nil {
			return err
		}
	}
	if clip := c.clip.Load(); clip != nil && len(channels) > 0 {
		clip.attach(theirs.Channels[0])
	}
	return nil
}

// ask sends a domain PDU and reads the answer.
func ask(w *wire, d rdpwire.Domain, answer byte) (rdpwire.Domain, error) {
	if err := w.writeDomain(d); err != nil {
		return d, err
	}
	b, err := w.readData()
	if err != nil {
		return d, err
	}
	if d, err = rdpwire.ParseDomain(b); err == nil && d.Kind != answer {
		err = fmt.Errorf("MCS PDU %d, not %d", d.Kind, answer)
	}
	return d, err
}

// maxBeforeLicense bounds what a target may send before it says that no license is needed.
const maxBeforeLicense = 16

// licensed reads until the target is content without a license. One that asks is told that there is none, and may go on.
func (c *conn) licensed(w *wire) error {
	asked := false
	for range maxBeforeLicense {
		b, err := w.readData()
		if err != nil {
			return fmt.Errorf("the target does not accept the login: %w", err)
		}
		d, err := rdpwire.ParseDomain(b)
		if err != nil {
			return err
		}
		switch {
		case d.Kind == rdpwire.Disconnect:
			return errors.New("the target refuses the login")
		case d.Kind == rdpwire.SendIndicate && d.Channel == c.targetIO && rdpwire.IsLicense(d.Data):
			switch err := rdpwire.ParseLicense(d.Data); {
			case !errors.Is(err, rdpwire.ErrLicense) || asked:
				return err
			}
			asked = true
			err := w.writeDomain(rdpwire.Domain{Kind: rdpwire.SendRequest, User: c.targetUser, Channel: c.targetIO, Data: rdpwire.AppendNoLicense(nil)})
			if err != nil {
				return err
			}
		}
	}
	return errors.New("the target does not come to licensing")
}
