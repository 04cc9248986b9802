// Package login is the client's side of a login to a MySQL or MariaDB server: it answers the server's challenges with
// the target's credentials. It owns the authentication plugins (native, caching SHA-2, SHA-256, ed25519, clear text)
// and decides when a password may be sent; framing, and the handshake around it, are left to its caller.
package login

import (
	"errors"
	"fmt"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// ErrMethod is a way of authentication that is not known or not safe here.
var ErrMethod = errors.New("authentication method refused")

// Options are the credentials, and how safe the way to the server is.
type Options struct {
	User, Password string
	// TLS says that the connection is encrypted; Local that it does not leave the machine. Without
	// either, nothing is sent from which the password could be read.
	TLS, Local bool
}

// Client is one login.
type Client struct {
	o      Options
	plugin string
	nonce  []byte
	full   bool // the server wants the password itself
	rounds int
}

// maxRounds bounds how often the server may ask.
const maxRounds = 8

// New begins with the server's greeting.
func New(o Options, g *wire.Greeting) *Client {
	return &Client{o: o, plugin: g.Plugin, nonce: g.Nonce}
}

// First is the plugin and the answer to go into the handshake response.
func (c *Client) First() (plugin string, auth []byte, err error) {
	if c.plugin == "" {
		c.plugin = wire.PluginNative
	}
	if !known(c.plugin) {
		c.plugin = wire.PluginNative // the server asks for its own
	}
	auth, err = c.answer()
	return c.plugin, auth, err
}

func known(plugin string) bool {
	switch plugin {
	case wire.PluginNative, wire.PluginSHA2, wire.PluginSHA256, wire.PluginClear, wire.PluginEd25519:
		return true
	}
	return false
}

// Handle takes a payload of the server that is neither OK nor ERR and gives the answer.
func (c *Client) Handle(body []byte) ([]byte, error) {
	if c.rounds++; c.rounds > maxRounds {
		return nil, fmt.Errorf("%w: the server asks too often", ErrMethod)
	}
	if len(body) == 0 {
		return nil, wire.ErrShort
	}
	switch body[0] {
	case wire.HeadEOF:
		return c.change(body[1:])
	case wire.HeadMoreAuth:
		return c.more(body[1:])
	}
	return nil, fmt.Errorf("%w: message %#x", ErrMethod, body[0])
}

// change takes another plugin.
func (c *Client) change(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: passwords of before MySQL 4.1", ErrMethod)
	}
	plugin, nonce, err := wire.DecodeAuthSwitch(body)
	if err != nil {
		return nil, err
	}
	c.plugin, c.nonce, c.full = plugin, nonce, false
	return c.answer()
}

// answer is the first answer of the plugin in force.
func (c *Client) answer() ([]byte, error) {
	pw := c.o.Password
	switch c.plugin {
	case wire.PluginNative:
		return native(pw, c.nonce), nil
	case wire.PluginSHA2:
		return sha2(pw, c.nonce), nil
	case wire.PluginSHA256:
		switch {
		case pw == "":
			return []byte{0}, nil
		case c.o.TLS:
			return clearText(pw), nil
		}
		return []byte{1}, c.mayAskKey()
	case wire.PluginEd25519:
		return ed25519(pw, c.nonce)
	case wire.PluginClear:
		if !c.o.TLS && !c.o.Local {
			return nil, fmt.Errorf("%w: a password in clear text without TLS", ErrMethod)
		}
		return clearText(pw), nil
	}
	return nil, fmt.Errorf("%w: plugin %q", ErrMethod, c.plugin)
}

// What the server says within caching_sha2_password.
const (
	sha2FastOK = 3
	sha2Full   = 4
	sha2AskKey = 2
)

// more goes on within the plugin.
func (c *Client) more(body []byte) ([]byte, error) {
	switch {
	case c.plugin == wire.PluginSHA2 && len(body) == 1 && body[0] == sha2FastOK && !c.full:
		return nil, nil // OK follows
	case c.plugin == wire.PluginSHA2 && len(body) == 1 && body[0] == sha2Full && !c.full:
		c.full = true
		if c.o.TLS {
			return clearText(c.o.Password), nil
		}
		return []byte{sha2AskKey}, c.mayAskKey()
	case c.plugin == wire.PluginSHA2 && c.full, c.plugin == wire.PluginSHA256:
		if err := c.mayAskKey(); err != nil {
			return nil, err
		}
		return encrypted(c.o.Password, c.nonce, body)
	}
	return nil, fmt.Errorf("%w: unexpected message of %s", ErrMethod, c.plugin)
}

// mayAskKey: whoever is between could give a key of their own, and would read the password.
func (c *Client) mayAskKey() error {
	if c.o.TLS || !c.o.Local {
		return fmt.Errorf("%w: the server's public key would come without TLS from another machine", ErrMethod)
	}
	return nil
}

func clearText(password string) []byte { return append([]byte(password), 0) }
