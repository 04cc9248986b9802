package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/check"
)

// connect reaches the target and logs in, once a connection; later calls give the same answer.
// The session is authorised by then (rule 1).
func (c *conn) connect() (*ssh.Client, error) {
	c.dial.Do(func() {
		up, sent, err := c.dialTarget()
		c.span.DropCredentials()
		if c.dialErr = err; err != nil {
			c.log.Warn("the target cannot be reached", "err", err)
			return
		}
		c.sent = sent
		c.upstream.Store(up)
		if c.ctx.Err() != nil { // the client went meanwhile
			up.Close()
		}
		go func() {
			_ = up.Wait() // however it ended, it is over
			select {
			case <-c.ctx.Done():
			case <-time.After(lastWords): // what the target had sent is delivered first
			}
			c.end("target", "the target closed the connection")
		}()
	})
	if c.dialErr != nil {
		return nil, c.dialErr
	}
	if up := c.upstream.Load(); up != nil {
		return up, nil
	}
	return nil, errors.New("the connection has ended")
}

// lastWords is how long a client has to take what a target sent before it closed the connection.
const lastWords = 2 * time.Second

func (c *conn) dialTarget() (*ssh.Client, *corked, error) {
	creds := c.span.Opened().Credentials
	user := creds.User
	if user == "" {
		user = c.span.Info().User
	}
	if user == "" {
		return nil, nil, errors.New("no login: say LOGIN@TARGET, or give the target credentials.user")
	}
	auth, err := authOf(creds)
	if err != nil {
		return nil, nil, err
	}
	timeout := c.target.Connect
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	var last error
	for _, addr := range c.target.Addresses {
		cfg := &ssh.ClientConfig{User: user, Auth: auth, ClientVersion: "SSH-2.0-Dragoman", HostKeyCallback: c.target.HostKey,
			BannerCallback: func(string) error { return nil }}
		cfg.KeyExchanges, cfg.Ciphers, cfg.MACs = algorithms()
		if f := c.target.HostKeyAlgorithms; f != nil {
			cfg.HostKeyAlgorithms = f(addr)
		}
		client, sent, err := dialAddress(c.ctx, addr, cfg, timeout, c.loginTime(c.target))
		if err == nil {
			return client, sent, nil
		}
		last = fmt.Errorf("%s: %w", addr, err)
	}
	return nil, nil, last
}

func dialAddress(ctx context.Context, addr string, cfg *ssh.ClientConfig, connect, login time.Duration) (*ssh.Client, *corked, error) {
	d := net.Dialer{Timeout: connect, KeepAlive: time.Minute}
	tcp, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	raw := &corked{Conn: tcp}
	_ = raw.SetDeadline(time.Now().Add(login))
	conn, chans, reqs, err := ssh.NewClientConn(raw, addr, cfg)
	if err != nil {
		raw.Close()
		return nil, nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	return ssh.NewClient(conn, chans, reqs), raw, nil
}

// authOf is how the gateway logs in.
func authOf(creds check.Credentials) ([]ssh.AuthMethod, error) {
	switch {
	case creds.PrivateKey != "":
		signer, err := ssh.ParsePrivateKey([]byte(creds.PrivateKey))
		if err != nil {
			return nil, errors.New("the target's private key cannot be read")
		}
		if creds.Certificate != "" {
			pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(creds.Certificate))
			if err != nil {
				return nil, errors.New("the session's certificate cannot be read")
			}
			cert, ok := pub.(*ssh.Certificate)
			if !ok {
				return nil, errors.New("the session's certificate is none")
			}
			if signer, err = ssh.NewCertSigner(cert, signer); err != nil {
				return nil, err
			}
		}
		return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil
	case creds.Password != "":
		answer := func(_, _ string, questions []string, echos []bool) ([]string, error) {
			out := make([]string, len(questions))
			for i := range questions {
				if echos[i] || len(questions) > 1 { // a password is not given to whatever asks for something else
					return nil, errors.New("the target asks for more than a password")
				}
				out[i] = creds.Password
			}
			return out, nil
		}
		return []ssh.AuthMethod{ssh.Password(creds.Password), ssh.KeyboardInteractive(answer)}, nil
	}
	return nil, errors.New("the target has neither a key nor a password")
}
