package credssp

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	//lint:ignore SA1019 NTLM is made of it; nothing else uses it
	"golang.org/x/crypto/md4"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// NTLM's messages (MS-NLMP 2.2.1) begin with this and a 32-bit type.
const ntlmSignature = "NTLMSSP\x00"

const (
	ntlmNegotiate    = 1
	ntlmChallenge    = 2
	ntlmAuthenticate = 3
)

// Flags (2.2.2.5). All of these must be agreed on: Unicode, signing and sealing with extended session security, keys of 128 bits
// that are exchanged, and what the server says about itself.
const (
	flagUnicode    = 0x00000001
	flagTarget     = 0x00000004
	flagSign       = 0x00000010
	flagSeal       = 0x00000020
	flagNTLM       = 0x00000200
	flagAlwaysSign = 0x00008000
	flagExtended   = 0x00080000
	flagInfo       = 0x00800000
	flagVersion    = 0x02000000
	flag128        = 0x20000000
	flagKeys       = 0x40000000
	flag56         = 0x80000000

	wanted = flagUnicode | flagTarget | flagSign | flagSeal | flagNTLM | flagAlwaysSign | flagExtended | flagInfo | flagVersion | flag128 | flagKeys | flag56
	needed = flagUnicode | flagSign | flagSeal | flagExtended | flag128 | flagKeys
)

// Attributes of the target information (2.2.2.1).
const (
	avEnd       = 0
	avFlags     = 6
	avTimestamp = 7
	avTarget    = 9
	avHasMIC    = 2
)

// version is that of an NTLMSSP of revision 15 (2.2.2.10).
var version = []byte{10, 0, 0, 0, 0, 0, 0, 15}

// challenge is what a CHALLENGE_MESSAGE says.
type challenge struct {
	flags uint32
	nonce [8]byte
	info  []byte // attributes, without the end
	time  []byte // the server's clock, nil when it does not say
	whole []byte
}

const maxAttributes = 64

func parseChallenge(b []byte) (challenge, error) {
	c := challenge{whole: b}
	if len(b) < 48 || string(b[:8]) != ntlmSignature || binary.LittleEndian.Uint32(b[8:]) != ntlmChallenge {
		return c, errors.New("credssp: no NTLM challenge")
	}
	c.flags = binary.LittleEndian.Uint32(b[20:])
	copy(c.nonce[:], b[24:])
	if c.flags&needed != needed {
		return c, fmt.Errorf("credssp: the server's NTLM is too weak (flags %#x)", c.flags)
	}
	n, at := int(binary.LittleEndian.Uint16(b[40:])), int64(binary.LittleEndian.Uint32(b[44:]))
	if at+int64(n) > int64(len(b)) {
		return c, errors.New("credssp: an NTLM challenge that is cut off")
	}
	attributes := b[at:][:n]
	for i := 0; ; i++ {
		if i > maxAttributes || len(attributes) < 4 {
			return c, errors.New("credssp: malformed target information")
		}
		kind, size := binary.LittleEndian.Uint16(attributes), int(binary.LittleEndian.Uint16(attributes[2:]))
		if kind == avEnd {
			return c, nil
		}
		if len(attributes) < 4+size {
			return c, errors.New("credssp: malformed target information")
		}
		value := attributes[4 : 4+size]
		if kind == avTimestamp && size == 8 {
			c.time = value
		}
		if kind != avFlags && kind != avTarget { // those are ours to say
			c.info = append(c.info, attributes[:4+size]...)
		}
		attributes = attributes[4+size:]
	}
}

// ntlm is the client's side of one exchange.
type ntlm struct {
	user      Credentials
	spn       string
	random    io.Reader
	now       time.Time
	negotiate []byte

	sign, verify   []byte
	seal, unseal   *rc4.Cipher
	sent, received uint32
}

// first is the NEGOTIATE_MESSAGE.
func (n *ntlm) first() []byte {
	b := binary.LittleEndian.AppendUint32([]byte(ntlmSignature), ntlmNegotiate)
	b = binary.LittleEndian.AppendUint32(b, wanted)
	b = append(b, make([]byte, 16)...) // neither domain nor workstation
	n.negotiate = append(b, version...)
	return n.negotiate
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// responseKey is NTOWFv2 (3.3.2).
func responseKey(c Credentials) []byte {
	h := md4.New()
	h.Write(rdpwire.AppendText(nil, c.Password))
	return hmacMD5(h.Sum(nil), rdpwire.AppendText(rdpwire.AppendText(nil, strings.ToUpper(c.User)), c.Domain))
}

// windowsEpoch is 1601 in seconds before 1970.
const windowsEpoch = 11644473600

// answer is the AUTHENTICATE_MESSAGE to a challenge; after it messages can be sealed.
func (n *ntlm) answer(raw []byte) ([]byte, error) {
	c, err := parseChallenge(raw)
	if err != nil {
		return nil, err
	}
	random := make([]byte, 8+16) // the client's challenge and the session key
	if _, err := io.ReadFull(n.random, random); err != nil {
		return nil, err
	}
	nonce, key := random[:8], random[8:]
	stamp, info := c.time, c.info
	if stamp == nil {
		stamp = binary.LittleEndian.AppendUint64(nil, uint64(n.now.Unix()+windowsEpoch)*1e7)
	} else {
		info = appendAttribute(info, avFlags, []byte{avHasMIC, 0, 0, 0})
	}
	info = appendAttribute(info, avTarget, rdpwire.AppendText(nil, n.spn))
	owf := responseKey(n.user)
	proof, response := ntResponse(owf, c.nonce[:], nonce, stamp, appendAttribute(info, avEnd, nil))
	lm := make([]byte, 24)
	if c.time == nil {
		lm = append(hmacMD5(owf, c.nonce[:], nonce), nonce...)
	}
	exchange, err := rc4.NewCipher(hmacMD5(owf, proof))
	if err != nil {
		return nil, err
	}
	sealed := make([]byte, len(key))
	exchange.XORKeyStream(sealed, key)
	msg := authenticate(c.flags&wanted, lm, response, n.user, sealed)
	if c.time != nil {
		copy(msg[72:88], hmacMD5(key, n.negotiate, c.whole, msg))
	}
	return msg, n.keys(key)
}

func appendAttribute(b []byte, kind uint16, v []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b[:len(b):len(b)], kind)
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(v))), v...)
}

// ntResponse is NTLMv2's proof and whole response (3.3.2).
func ntResponse(owf, server, client, stamp, info []byte) (proof, response []byte) {
	temp := append([]byte{1, 1, 0, 0, 0, 0, 0, 0}, stamp...)
	temp = append(append(temp, client...), 0, 0, 0, 0)
	temp = append(append(temp, info...), 0, 0, 0, 0)
	proof = hmacMD5(owf, server, temp)
	return proof, append(proof[:len(proof):len(proof)], temp...)
}

// authenticate lays an AUTHENTICATE_MESSAGE out (2.2.1.3): six fields of length, room and offset, flags, version, MIC, and
// what the fields point to.
func authenticate(flags uint32, lm, nt []byte, c Credentials, key []byte) []byte {
	const head = 88
	b := binary.LittleEndian.AppendUint32([]byte(ntlmSignature), ntlmAuthenticate)
	var body []byte
	for _, f := range [][]byte{lm, nt, rdpwire.AppendText(nil, c.Domain), rdpwire.AppendText(nil, c.User), nil, key} {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(f)))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(f)))
		b = binary.LittleEndian.AppendUint32(b, uint32(head+len(body)))
		body = append(body, f...)
	}
	b = append(binary.LittleEndian.AppendUint32(b, flags), version...)
	return append(append(b, make([]byte, 16)...), body...)
}

// keys derives what signs and seals in each direction (3.4.5).
func (n *ntlm) keys(exported []byte) (err error) {
	derive := func(what string) []byte {
		h := md5.Sum(append(exported[:len(exported):len(exported)], "session key to "+what+" key magic constant\x00"...))
		return h[:]
	}
	n.sign, n.verify = derive("client-to-server signing"), derive("server-to-client signing")
	if n.seal, err = rc4.NewCipher(derive("client-to-server sealing")); err != nil {
		return err
	}
	n.unseal, err = rc4.NewCipher(derive("server-to-client sealing"))
	return err
}

// signatureLen is a message signature: version 1, 8 bytes of checksum, sequence number (2.2.2.9.2).
const signatureLen = 16

func (n *ntlm) wrap(message []byte) []byte {
	seq := binary.LittleEndian.AppendUint32(nil, n.sent)
	n.sent++
	sealed := make([]byte, len(message))
	n.seal.XORKeyStream(sealed, message)
	sum := hmacMD5(n.sign, seq, message)[:8]
	n.seal.XORKeyStream(sum, sum)
	return append(append(append([]byte{1, 0, 0, 0}, sum...), seq...), sealed...)
}

func (n *ntlm) unwrap(b []byte) ([]byte, error) {
	if len(b) < signatureLen {
		return nil, errors.New("credssp: a sealed message that is cut off")
	}
	seq := binary.LittleEndian.AppendUint32(nil, n.received)
	n.received++
	message := make([]byte, len(b)-signatureLen)
	n.unseal.XORKeyStream(message, b[signatureLen:])
	sum := hmacMD5(n.verify, seq, message)[:8]
	n.unseal.XORKeyStream(sum, sum)
	if !hmac.Equal(b[:signatureLen], append(append([]byte{1, 0, 0, 0}, sum...), seq...)) {
		return nil, errors.New("credssp: a message with a wrong signature")
	}
	return message, nil
}
