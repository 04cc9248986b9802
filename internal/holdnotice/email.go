package holdnotice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/notify"
)

// Email sends the notice by SMTP. With a TLS-capable server the connection is encrypted by STARTTLS and the server verified;
// without one it is refused, unless Insecure is set.
type Email struct {
	Label    string
	Server   string // host:port
	From     string
	To       []string
	User     string
	Password Secret         // nil: no login
	Roots    *x509.CertPool // nil: the system's
	Insecure bool           // without TLS; no login then
	Now      func() time.Time
}

// Name implements Sender.
func (e *Email) Name() string { return "email:" + e.Label }

// Send implements Sender.
func (e *Email) Send(ctx context.Context, n Notice) error {
	host, _, err := net.SplitHostPort(e.Server)
	if err != nil {
		return fmt.Errorf("%w: %w", notify.ErrRejected, err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", e.Server)
	if err != nil {
		return err
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(until)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := e.login(ctx, c, host); err != nil {
		return err
	}
	return smtpError(e.hand(c, n))
}

func (e *Email) login(ctx context.Context, c *smtp.Client, host string) error {
	if e.Insecure {
		return nil
	}
	if ok, _ := c.Extension("STARTTLS"); !ok {
		return errors.New("the server has no STARTTLS, and the connection may not be insecure")
	}
	if err := c.StartTLS(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: e.Roots}); err != nil {
		return err
	}
	if e.Password == nil {
		return nil
	}
	password, err := e.Password(ctx)
	if err != nil {
		return err
	}
	return c.Auth(smtp.PlainAuth("", e.User, password, host))
}

func (e *Email) hand(c *smtp.Client, n Notice) error {
	if err := c.Mail(e.From); err != nil {
		return err
	}
	for _, to := range e.To {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(e.message(n)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // it has the message: an error now must not send it again
	return nil
}

func (e *Email) message(n Notice) []byte {
	var b bytes.Buffer
	id := sha256.Sum256([]byte(n.Event + " " + n.Hold + " " + e.Label)) // the same when it comes twice
	_, domain, _ := strings.Cut(e.From, "@")
	for _, h := range [][2]string{{"From", e.From}, {"To", strings.Join(e.To, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", n.Title())},
		{"Date", e.Now().Format(time.RFC1123Z)}, {"Message-ID", "<" + hex.EncodeToString(id[:16]) + "@" + domain + ">"}, {"MIME-Version", "1.0"},
		{"Auto-Submitted", "auto-generated"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"}} {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	text := n.Title() + ".\n\n" + strings.Join(n.Lines(), "\n") + "\n"
	if n.URL != "" {
		text += "\n" + n.link() + ": " + n.URL + "\n"
	}
	_, _ = q.Write([]byte(strings.ReplaceAll(text, "\n", "\r\n"))) // into memory
	_ = q.Close()
	return b.Bytes()
}

// smtpError says whether the server will never take it.
func smtpError(err error) error {
	var said *textproto.Error
	if errors.As(err, &said) && said.Code >= 500 {
		return fmt.Errorf("%w: %w", notify.ErrRejected, err)
	}
	return err
}
