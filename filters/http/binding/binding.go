// Package binding turns what a target names things by (an MCP session, an event, the version of a document) into names
// that only the identity to whom they were given can use, and back. A name says nothing that its holder could
// have worked out, and means nothing in another's mouth. No state is kept: every node of a deployment makes
// and reads the same names.
package binding

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

// Kinds of names. One is never good for another.
const (
	Session = "mcp-session"
	Event   = "mcp-event"
)

// info sets the keys made here apart from all others that are made of the same secret.
const info = "dragoman http binding v1"

// macSize is how much of an HMAC-SHA-256 stands in a name, in bytes.
const macSize = 16

var text = base64.RawURLEncoding.Strict()

// Binder makes and reads the names of one identity at one target. It is safe for concurrent use. The nil Binder makes none
// and reads none.
type Binder struct {
	mac   []byte // for HMAC-SHA-256
	aead  cipher.AEAD
	owner []byte
}

// New makes the binder of whoever the owner's parts say. The secret is what all nodes of a deployment have.
func New(secret []byte, owner ...string) (*Binder, error) {
	if len(secret) < sha256.Size {
		return nil, errors.New("binding: no key")
	}
	// The secret is the extraction's input, not its key: hashes under the secret, which masks show, are nothing here.
	keys, err := hkdf.Key(sha256.New, secret, nil, info, 64)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(keys[32:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Binder{mac: keys[:32], aead: aead, owner: parts(nil, owner...)}, nil
}

// parts appends each part with its length (8 bytes, big endian), so that no two lists are one text.
func parts(b []byte, list ...string) []byte {
	for _, p := range list {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

func (b *Binder) sum(list ...string) []byte {
	h := hmac.New(sha256.New, b.mac)
	h.Write(b.owner)
	h.Write(parts(nil, list...))
	return h.Sum(nil)
}

// Bind is the target's id as its holder gets it: the id, a dot, and a MAC in URL-safe base64. What was visible ASCII stays so.
func (b *Binder) Bind(kind, id string) string {
	if b == nil {
		return ""
	}
	return id + "." + text.EncodeToString(b.sum(kind, id)[:macSize])
}

// Unbind is the target's id, if the bound one was made for this owner.
func (b *Binder) Unbind(kind, bound string) (id string, ok bool) {
	i := strings.LastIndexByte(bound, '.')
	if b == nil || i < 0 {
		return "", false
	}
	if !hmac.Equal([]byte(bound), []byte(b.Bind(kind, bound[:i]))) { // the one way to write it
		return "", false
	}
	return bound[:i], true
}
