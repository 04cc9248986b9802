// Package login is the client's side of PostgreSQL authentication, towards the
// target, as a state machine: messages in, messages out, no I/O. It ends with
// AuthenticationOk; what the target says after that (ParameterStatus,
// BackendKeyData, ReadyForQuery, or an error about the database) is the
// caller's. TLS, and reading frames off a connection, are the caller's too.
package login

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Protocol versions of the startup message (protocol-flow, "Start-up").
const (
	Protocol30 = 3 << 16
	Protocol32 = 3<<16 | 2
)

// Kinds of refusal; errors of Handle wrap one of them, or are a *ServerError.
var (
	// ErrProtocol: the target sent what it may not send at this point.
	ErrProtocol = errors.New("protocol violation by the target")
	// ErrWeak: the target asks for the password, or its md5, without TLS.
	ErrWeak = errors.New("the target asks for weak authentication without TLS")
	// ErrMethod: the target asks for a method that is not supported.
	ErrMethod = errors.New("the target asks for an authentication method that is not supported")
	// ErrServer: the target could not prove that it knows the password.
	ErrServer = errors.New("the target could not prove that it knows the password")
	// ErrNoPassword: the target asks for a password and there is none.
	ErrNoPassword = errors.New("the target asks for a password and none is configured")
	// ErrOptions: the options cannot be sent.
	ErrOptions = errors.New("login options")
)

// MaxMessage is the largest message body that Handle takes: PostgreSQL's own
// clients take no longer authentication request or error than 30,000 bytes.
const MaxMessage = 30000

// Bounds of SCRAM's iteration count. The lower one is RFC 7677's, the upper one
// keeps a hostile target from holding a worker for more than a fraction of a second.
const (
	DefaultMinIterations = 4096
	MaxIterations        = 600_000
)

// Options say how to log in. Password is secret: it is in no error and no String.
type Options struct {
	User     string
	Password string
	Database string // "" means the target's default, the user's name
	// Params are further run-time parameters of the startup message; user and
	// database are not among them.
	Params map[string]string
	// CertSHA256 is the channel binding data tls-server-end-point (RFC 5929), or
	// nil when it is not known: the certificate's SHA-256, unless the
	// certificate is signed with a longer hash (see EndPoint).
	CertSHA256 []byte
	// TLS says that the connection to the target is encrypted.
	TLS bool
	// Protocol is Protocol30 (also for 0) or Protocol32.
	Protocol uint32
	// AllowWeak allows cleartext and md5 passwords without TLS (loopback).
	AllowWeak bool
	// RequireBinding accepts SCRAM-SHA-256-PLUS only.
	RequireBinding bool
	// MinIterations is the least iteration count; 0 means DefaultMinIterations.
	MinIterations int
	// Rand is the source of nonces; nil means crypto/rand.
	Rand io.Reader
	// Keys remembers salted passwords between logins; nil means that each login makes its own.
	Keys *Keys
}

type state uint8

const (
	start     state = iota // nothing has come yet
	answered               // a password has been sent; only the verdict may come
	saslFirst              // SASLInitialResponse sent
	saslFinal              // the proof sent
	verified               // the target has proven itself; AuthenticationOk must come
	done                   // AuthenticationOk has come
	failed                 // an error; nothing more is taken
)

// Client is one login. It is not safe for concurrent use.
type Client struct {
	opt        Options
	state      state
	scram      scram
	negotiated bool
	minor      uint32
	refused    []string
	notices    int
}

// New checks the options.
func New(o Options) (*Client, error) {
	if o.Protocol == 0 {
		o.Protocol = Protocol30
	}
	if o.Protocol != Protocol30 && o.Protocol != Protocol32 {
		return nil, fmt.Errorf("%w: protocol %#x is not 3.0 or 3.2", ErrOptions, o.Protocol)
	}
	if o.User == "" {
		return nil, fmt.Errorf("%w: no user", ErrOptions)
	}
	if o.MinIterations == 0 {
		o.MinIterations = DefaultMinIterations
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	size := len(o.User) + len(o.Database)
	for k, v := range o.Params {
		if k == "" || k == "user" || k == "database" || k == "replication" {
			return nil, fmt.Errorf("%w: parameter %q", ErrOptions, k)
		}
		if strings.ContainsRune(k+v, 0) {
			return nil, fmt.Errorf("%w: parameter %q has a zero byte", ErrOptions, k)
		}
		size += len(k) + len(v) + 2
	}
	if strings.ContainsRune(o.User+o.Database+o.Password, 0) {
		return nil, fmt.Errorf("%w: a zero byte in user, database or password", ErrOptions)
	}
	if size > 9000 { // the target takes 10,000 (MAX_STARTUP_PACKET_LENGTH)
		return nil, fmt.Errorf("%w: the parameters are too long", ErrOptions)
	}
	return &Client{opt: o}, nil
}

// Startup is the startup message: int32 length, int32 protocol, name and value
// pairs as zero-terminated strings, and a zero.
func (c *Client) Startup() []byte {
	b := make([]byte, 8, 256)
	binary.BigEndian.PutUint32(b[4:], c.opt.Protocol)
	pair := func(k, v string) { b = append(append(append(append(b, k...), 0), v...), 0) }
	pair("user", c.opt.User)
	if c.opt.Database != "" {
		pair("database", c.opt.Database)
	}
	for _, k := range slices.Sorted(maps.Keys(c.opt.Params)) {
		pair(k, c.opt.Params[k])
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// Negotiated tells what a NegotiateProtocolVersion said: the newest minor version
// that the target knows and the options that it does not. ok is false when none came.
func (c *Client) Negotiated() (minor uint32, unknown []string, ok bool) {
	return c.minor, c.refused, c.negotiated
}

// Handle takes one message of the target, its type and its body without the
// length. The reply, if any, is to be sent; it is the caller's. done says that
// AuthenticationOk has come. An error ends the login for good.
func (c *Client) Handle(msgType byte, body []byte) (reply []byte, ok bool, err error) {
	if c.state == done || c.state == failed {
		return nil, false, fmt.Errorf("%w: a message after the login has ended", ErrProtocol)
	}
	if len(body) > MaxMessage {
		err = fmt.Errorf("%w: a message of %d bytes", ErrProtocol, len(body))
	} else {
		reply, err = c.dispatch(msgType, body)
	}
	if err != nil {
		c.state = failed
		return nil, false, err
	}
	return reply, c.state == done, nil
}

func (c *Client) dispatch(msgType byte, body []byte) ([]byte, error) {
	switch msgType {
	case 'R':
		return c.auth(body)
	case 'E':
		return nil, parseError(body)
	case 'N': // NoticeResponse may come at any time
		if c.notices++; c.notices > 100 {
			return nil, fmt.Errorf("%w: more than 100 notices", ErrProtocol)
		}
		return nil, nil
	case 'v':
		return nil, c.negotiate(body)
	}
	return nil, fmt.Errorf("%w: message %q during login", ErrProtocol, msgType)
}

// Authentication requests: int32 code, then what the code says.
const (
	authOK           = 0
	authCleartext    = 3
	authMD5          = 5 // 4 bytes of salt
	authSASL         = 10
	authSASLContinue = 11
	authSASLFinal    = 12
)

func (c *Client) auth(body []byte) ([]byte, error) {
	if len(body) < 4 {
		return nil, fmt.Errorf("%w: a short authentication request", ErrProtocol)
	}
	code, rest := binary.BigEndian.Uint32(body), body[4:]
	switch {
	case code == authOK && len(rest) == 0 && (c.state == start || c.state == answered || c.state == verified):
		if c.state == start && c.opt.RequireBinding {
			return nil, fmt.Errorf("%w: no authentication where channel binding is required", ErrMethod)
		}
		c.state = done
		return nil, nil
	case code == authCleartext && len(rest) == 0 && c.state == start:
		return c.password(c.opt.Password)
	case code == authMD5 && len(rest) == 4 && c.state == start:
		return c.password(md5Password(c.opt.User, c.opt.Password, rest))
	case code == authSASL && c.state == start:
		return c.saslStart(rest)
	case code == authSASLContinue && c.state == saslFirst:
		return c.saslContinue(rest)
	case code == authSASLFinal && c.state == saslFinal:
		if err := c.scram.final(rest); err != nil {
			return nil, err
		}
		c.state = verified
		return nil, nil
	case code == authOK, code == authCleartext, code == authMD5, code >= authSASL && code <= authSASLFinal:
		return nil, fmt.Errorf("%w: authentication request %d out of turn", ErrProtocol, code)
	}
	return nil, fmt.Errorf("%w: request %d", ErrMethod, code)
}

// password answers with a PasswordMessage.
func (c *Client) password(answer string) ([]byte, error) {
	if c.opt.RequireBinding {
		return nil, fmt.Errorf("%w: a password where channel binding is required", ErrMethod)
	}
	if !c.opt.TLS && !c.opt.AllowWeak {
		return nil, ErrWeak
	}
	if c.opt.Password == "" {
		return nil, ErrNoPassword
	}
	c.state = answered
	return message(append([]byte(answer), 0)), nil
}

// md5Password is "md5" and the hex MD5 of (the hex MD5 of password and user) and salt.
func md5Password(user, password string, salt []byte) string {
	inner := md5.Sum([]byte(password + user))
	outer := md5.Sum(append([]byte(hex.EncodeToString(inner[:])), salt...))
	return "md5" + hex.EncodeToString(outer[:])
}

// message frames a body as 'p': PasswordMessage, SASLInitialResponse, SASLResponse.
func message(body []byte) []byte {
	b := make([]byte, 5, 5+len(body))
	b[0] = 'p'
	binary.BigEndian.PutUint32(b[1:], uint32(4+len(body)))
	return append(b, body...)
}

// negotiate reads NegotiateProtocolVersion: int32 newest minor version, int32
// count, that many zero-terminated option names. Servers differ in whether they send
// the minor version alone or the whole version.
func (c *Client) negotiate(body []byte) error {
	if c.state != start || c.negotiated || len(body) < 8 {
		return fmt.Errorf("%w: NegotiateProtocolVersion", ErrProtocol)
	}
	version, n := binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
	if major := version >> 16; major != 0 && major != 3 {
		return fmt.Errorf("%w: it offers protocol %d.%d", ErrProtocol, major, version&0xffff)
	}
	if c.minor = version & 0xffff; c.minor > c.opt.Protocol&0xffff {
		return fmt.Errorf("%w: it offers a newer protocol than was asked for", ErrProtocol)
	}
	if uint64(n) > uint64(len(body)) {
		return fmt.Errorf("%w: NegotiateProtocolVersion", ErrProtocol)
	}
	rest := string(body[8:])
	for range n {
		name, after, found := strings.Cut(rest, "\x00")
		if !found || name == "" {
			return fmt.Errorf("%w: NegotiateProtocolVersion", ErrProtocol)
		}
		c.refused, rest = append(c.refused, name), after
	}
	if rest != "" {
		return fmt.Errorf("%w: NegotiateProtocolVersion", ErrProtocol)
	}
	c.negotiated = true
	return nil
}
