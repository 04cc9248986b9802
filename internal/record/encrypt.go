package record

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Key is the data key of one session: what its sealed file is encrypted with.
type Key [32]byte

// Keys gives the data key of a session. An error that is ErrEncrypted says that there
// is none (any more), others that it cannot be had now.
type Keys func(session string) (Key, error)

// ErrEncrypted says that a body is encrypted and cannot be read for want of its key.
var ErrEncrypted = errors.New("the body is encrypted, and its key is not at hand")

// versionEncrypted is the sealed format whose blocks are encrypted.
const versionEncrypted = 2

const (
	saltLen = 32
	tagLen  = 16
)

// blockCipher encrypts and decrypts the blocks of one file, in order.
type blockCipher struct {
	aead  cipher.AEAD
	nonce [12]byte
}

// newBlockCipher derives the file's own key, so that no nonce, which is the
// block's number, is used twice with one key: a file may be sealed again.
func newBlockCipher(key Key, salt []byte, session string) (*blockCipher, error) {
	own, err := hkdf.Key(sha256.New, key[:], salt, "dragoman sealed record v2 "+session, len(key))
	if err != nil {
		return nil, err
	}
	b, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(b)
	return &blockCipher{aead: aead}, err
}

func newSalt() ([]byte, error) {
	salt := make([]byte, saltLen)
	_, err := rand.Read(salt)
	return salt, err
}

func (c *blockCipher) number(block int) []byte {
	binary.BigEndian.PutUint64(c.nonce[4:], uint64(block))
	return c.nonce[:]
}

// seal encrypts a block in place; its header is authenticated with it.
func (c *blockCipher) seal(block int, zblock, header []byte) []byte {
	return c.aead.Seal(zblock[:0], c.number(block), zblock, header)
}

// open decrypts a block in place.
func (c *blockCipher) open(block int, zblock, header []byte) ([]byte, error) {
	return c.aead.Open(zblock[:0], c.number(block), zblock, header)
}

// Encrypted reports whether the record's blocks are encrypted.
func (r *Reader) Encrypted() bool {
	p, ok := r.parts.(*sealedParts)
	return ok && p.salt != nil
}

// Decrypt has the reader ask for the session's key, when the record is encrypted. Call it
// before the first Next, which otherwise gives ErrEncrypted. The error is that of keys.
func (r *Reader) Decrypt(keys Keys) error {
	p, ok := r.parts.(*sealedParts)
	if !ok || p.salt == nil || keys == nil {
		return nil
	}
	key, err := keys(r.session)
	if err != nil {
		return err
	}
	p.cipher, err = newBlockCipher(key, p.salt, r.session)
	return err
}

// outline checks what can be checked of an encrypted file without its key: that its blocks
// follow one another and are what the footer says.
func (p *sealedParts) outline() error {
	var at position
	for ; p.place < p.foot.index; p.blocks++ {
		k, _, err := p.header()
		if err == nil && (k.seq != at.seq || k.offset != at.offset) {
			err = ErrGap
		}
		if err != nil {
			return &CorruptError{Seq: at.seq, Offset: at.offset, Where: blockName(p.blocks), Err: err}
		}
		p.place += int64(blockHeaderLen + k.zlen)
		at.seq, at.offset = at.seq+uint64(k.count), at.offset+uint64(k.len)
	}
	if at.seq != p.foot.Frames || at.offset != p.foot.Bytes {
		return &CorruptError{Seq: at.seq, Offset: at.offset, Where: blockName(p.blocks), Err: ErrChanged}
	}
	return nil
}
