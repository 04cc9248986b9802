package login

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// SASL mechanisms (RFC 7677, RFC 5802).
const (
	mechanism     = "SCRAM-SHA-256"
	mechanismPlus = "SCRAM-SHA-256-PLUS"
)

// Bounds of what the target chooses.
const (
	maxNonce = 1024 // characters; PostgreSQL's has 24 more than ours
	maxSalt  = 1024 // bytes; PostgreSQL's has 16
)

// scram is one SCRAM exchange.
type scram struct {
	gs2         string // GS2 header: channel binding flag
	binding     []byte // what the "c" attribute has after the header
	nonce       string
	firstBare   string
	serverProof []byte // the signature that the target must send
}

// saslStart reads AuthenticationSASL, zero-terminated mechanism names and a zero,
// and answers with SASLInitialResponse: mechanism, zero, int32 length, client-first-message.
func (c *Client) saslStart(body []byte) ([]byte, error) {
	if !bytes.HasSuffix(body, []byte{0, 0}) {
		return nil, fmt.Errorf("%w: AuthenticationSASL", ErrProtocol)
	}
	offered := strings.Split(string(body[:len(body)-2]), "\x00")
	name, err := c.choose(offered)
	if err != nil {
		return nil, err
	}
	if c.opt.Password == "" {
		return nil, ErrNoPassword
	}
	raw := make([]byte, 18) // 144 bits, as PostgreSQL's own clients
	if _, err := io.ReadFull(c.opt.Rand, raw); err != nil {
		return nil, fmt.Errorf("making a nonce: %w", err)
	}
	c.scram.nonce = base64.StdEncoding.EncodeToString(raw)
	c.scram.firstBare = "n=,r=" + c.scram.nonce // PostgreSQL takes the user of the startup message
	first := c.scram.gs2 + c.scram.firstBare
	out := append([]byte(name), 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(first)))
	c.state = saslFirst
	return message(append(out, first...)), nil
}

// choose takes the strongest mechanism that both sides know, and sets the
// channel binding flag so that the target notices when somebody in between
// has removed one (RFC 5802, section 6).
func (c *Client) choose(offered []string) (string, error) {
	bind := c.opt.TLS && len(c.opt.CertSHA256) > 0
	switch {
	case bind && slices.Contains(offered, mechanismPlus):
		c.scram.gs2, c.scram.binding = "p=tls-server-end-point,,", c.opt.CertSHA256
		return mechanismPlus, nil
	case c.opt.RequireBinding:
		return "", fmt.Errorf("%w: channel binding is required, and one side cannot do it", ErrMethod)
	case !slices.Contains(offered, mechanism):
		return "", fmt.Errorf("%w: SASL without %s", ErrMethod, mechanism)
	case bind:
		c.scram.gs2 = "y,," // we could, you said that you cannot
	default:
		c.scram.gs2 = "n,,"
	}
	return mechanism, nil
}

// saslContinue reads server-first-message, r=nonce,s=salt,i=count, and answers with
// client-final-message, c=binding,r=nonce,p=proof.
func (c *Client) saslContinue(body []byte) ([]byte, error) {
	s := &c.scram
	nonce, salt, count, err := parseServerFirst(string(body))
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(nonce, s.nonce) || len(nonce) == len(s.nonce) {
		return nil, fmt.Errorf("%w: SCRAM nonce is not an extension of ours", ErrProtocol)
	}
	if count < c.opt.MinIterations || count > MaxIterations {
		return nil, fmt.Errorf("%w: SCRAM iteration count %d is not within %d to %d",
			ErrProtocol, count, c.opt.MinIterations, MaxIterations)
	}
	salted, err := c.opt.Keys.salted(prepare(c.opt.Password), salt, count)
	if err != nil {
		return nil, fmt.Errorf("SCRAM key: %w", err)
	}
	bound := append([]byte(s.gs2), s.binding...)
	final := "c=" + base64.StdEncoding.EncodeToString(bound) + ",r=" + nonce
	auth := []byte(s.firstBare + "," + string(body) + "," + final)
	clientKey := sum(salted, []byte("Client Key"))
	stored := sha256.Sum256(clientKey)
	proof := sum(stored[:], auth)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	s.serverProof = sum(sum(salted, []byte("Server Key")), auth)
	c.state = saslFinal
	return message([]byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof))), nil
}

func parseServerFirst(msg string) (nonce string, salt []byte, count int, err error) {
	bad := func(what string) (string, []byte, int, error) {
		return "", nil, 0, fmt.Errorf("%w: SCRAM %s", ErrProtocol, what)
	}
	// Extensions may follow; a mandatory one ("m=" in front) is refused with the rest.
	parts := strings.Split(msg, ",")
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "r=") || !strings.HasPrefix(parts[1], "s=") ||
		!strings.HasPrefix(parts[2], "i=") {
		return bad("first message")
	}
	if nonce = parts[0][2:]; len(nonce) > maxNonce || strings.ContainsFunc(nonce, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
		return bad("nonce")
	}
	if salt, err = base64.StdEncoding.Strict().DecodeString(parts[1][2:]); err != nil || len(salt) == 0 || len(salt) > maxSalt {
		return bad("salt")
	}
	digits := parts[2][2:]
	if count, err = strconv.Atoi(digits); err != nil || strconv.Itoa(count) != digits {
		return bad("iteration count")
	}
	return nonce, salt, count, nil
}

// final reads server-final-message, v=signature (or e=error).
func (s *scram) final(body []byte) error {
	attr, _, _ := strings.Cut(string(body), ",")
	value, isSignature := strings.CutPrefix(attr, "v=")
	if !isSignature {
		return fmt.Errorf("%w: SCRAM ended without a signature", ErrServer)
	}
	got, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(s.serverProof) == 0 || !hmac.Equal(got, s.serverProof) {
		return fmt.Errorf("%w: SCRAM signature is wrong", ErrServer)
	}
	return nil
}

func sum(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}
