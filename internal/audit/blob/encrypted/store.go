// Package encrypted is a blob.Store around another one, in which bodies that grow are
// encrypted. Final bodies pass as they are: whoever makes them encrypts them
// (record.NewEncryptingSealer), so that they can be verified without a key.
//
// A body is a header and chunks, one for each Write:
//
//	header  "DRGBODY" LF (8), version 1 (2), reserved (6), salt (32)
//	chunk   length of the plaintext (4), nonce (12), ciphertext, tag (16)
//
// Integers are big-endian. A chunk is encrypted with AES-256-GCM; the key is HKDF-SHA256 of the
// session's data key with the salt and "dragoman growing body v1 " and the body's key in the
// store; the associated data are the chunk's place in the plaintext (8) and its length (4). So
// chunks cannot be changed, moved, or put into another body.
package encrypted

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/record"
)

const (
	magic     = "DRGBODY\n"
	version   = 1
	saltLen   = 32
	headerLen = 16 + saltLen

	nonceLen = 12
	tagLen   = 16
	chunkLen = 4 + nonceLen + tagLen // beside the text
	maxChunk = 1 << 20
)

// Keys gives the data key for a body: a new one is made when create is set and there is none.
type Keys func(ctx context.Context, key string, create bool) (record.Key, error)

// Store encrypts what grows. It is as safe for concurrent use as the store inside.
type Store struct {
	blob.Store
	keys Keys
}

var _ blob.Store = (*Store)(nil)

// New wraps a store.
func New(inner blob.Store, keys Keys) *Store { return &Store{Store: inner, keys: keys} }

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, key string) (blob.Body, error) {
	data, err := s.keys(ctx, key, true)
	if err != nil {
		return nil, err
	}
	inner, err := s.Store.Create(ctx, key)
	if err != nil {
		return nil, err
	}
	b := &body{inner: inner, name: key, data: data}
	if err := b.begin(); err != nil {
		return nil, errors.Join(err, inner.Close(), s.Store.Delete(ctx, key))
	}
	return b, nil
}

// Append implements blob.Store. Bodies from before encryption was turned on go on as they are. The
// end of a body that a crash cut short is cut off: it was not synced.
func (s *Store) Append(ctx context.Context, key string) (blob.Body, error) {
	inner, err := s.Store.Append(ctx, key)
	if err != nil {
		return nil, err
	}
	ours, err := mine(inner)
	if err != nil || !ours {
		return plain(inner, err)
	}
	b := &body{inner: inner, name: key}
	if b.data, err = s.keys(ctx, key, false); err == nil {
		err = b.load()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", key, err), inner.Close())
	}
	return b, nil
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, key string) (blob.Reader, error) {
	inner, err := s.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	ours, err := mine(inner)
	if err != nil || !ours {
		return plain(inner, err)
	}
	r := &reader{inner: inner}
	data, err := s.keys(ctx, key, false)
	if err != nil && inner.Size() == 0 {
		return inner, nil // a final body that is empty
	}
	if err == nil {
		err = r.open(data, key)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", key, err), inner.Close())
	}
	return r, nil
}

// plain passes a body on that is not encrypted here, unless that cannot be told.
func plain[T io.Closer](inner T, err error) (T, error) {
	if err != nil {
		var none T
		return none, errors.Join(err, inner.Close())
	}
	return inner, nil
}

// mine tells an encrypted growing body that was just opened.
func mine(r interface {
	io.ReaderAt
	Size() int64
}) (bool, error) {
	return isOurs(r, r.Size())
}

// isOurs tells an encrypted growing body from others. One without a whole header was never
// synced; it counts as ours when it is empty or begins like one.
func isOurs(r io.ReaderAt, size int64) (bool, error) {
	b := make([]byte, min(size, int64(len(magic))))
	if _, err := r.ReadAt(b, 0); err != nil && err != io.EOF {
		return false, err
	}
	return string(b) == magic[:len(b)], nil
}

// chunks is what is known of a body's chunks.
type chunks struct {
	aead  cipher.AEAD
	list  []chunk
	place int64  // behind the last one, in the body
	size  int64  // of the plaintext
	raw   []byte // what text reads into
}

type chunk struct {
	place int64 // in the body
	start int64 // in the plaintext
	len   int
}

func (c *chunks) init(data record.Key, salt []byte, name string) error {
	key, err := hkdf.Key(sha256.New, data[:], salt, "dragoman growing body v1 "+name, len(data))
	if err != nil {
		return err
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	c.aead, err = cipher.NewGCM(b)
	c.list, c.place, c.size = c.list[:0], headerLen, 0
	return err
}

func newHeader() ([]byte, error) {
	h := make([]byte, headerLen)
	copy(h, magic)
	binary.BigEndian.PutUint16(h[8:], version)
	_, err := rand.Read(h[16:])
	return h, err
}

// readHeader gives the salt; io.ErrUnexpectedEOF when the header is not all there.
func readHeader(r io.ReaderAt) ([]byte, error) {
	h := make([]byte, headerLen)
	if n, err := r.ReadAt(h, 0); err != nil && (err != io.EOF || n < headerLen) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if string(h[:8]) != magic || binary.BigEndian.Uint16(h[8:]) != version || [6]byte(h[10:16]) != [6]byte{} {
		return nil, fmt.Errorf("header: %w", blob.ErrChanged)
	}
	return h[16:], nil
}

// scan finds the chunks from place on. It stops at one that is not all there.
func (c *chunks) scan(r io.ReaderAt) error {
	var b [4]byte
	for {
		if n, err := r.ReadAt(b[:], c.place); n < len(b) {
			return unlessEOF(err)
		}
		size := int64(binary.BigEndian.Uint32(b[:]))
		if size == 0 || size > maxChunk {
			return fmt.Errorf("chunk %d: %w", len(c.list), blob.ErrChanged)
		}
		if n, err := r.ReadAt(b[:1], c.place+chunkLen+size-1); n == 0 {
			return unlessEOF(err)
		}
		c.add(int(size))
	}
}

func unlessEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func (c *chunks) add(n int) {
	c.list = append(c.list, chunk{place: c.place, start: c.size, len: n})
	c.place += chunkLen + int64(n)
	c.size += int64(n)
}

// seal makes the bytes of the next chunk.
func (c *chunks) seal(dst, text []byte) ([]byte, error) {
	var nonce [nonceLen]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(text)))
	dst = append(dst, nonce[:]...)
	return c.aead.Seal(dst, nonce[:], text, bound(c.size, len(text))), nil
}

func bound(start int64, n int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(start)), uint32(n))
}

// text reads and decrypts a chunk; it is valid until the next call.
func (c *chunks) text(r io.ReaderAt, k chunk) ([]byte, error) {
	c.raw = slices.Grow(c.raw[:0], chunkLen+k.len)[:chunkLen+k.len]
	b := c.raw
	if n, err := r.ReadAt(b, k.place); n < len(b) {
		return nil, err
	}
	nonce := b[4 : 4+nonceLen]
	text, err := c.aead.Open(b[4+nonceLen:4+nonceLen], nonce, b[4+nonceLen:], bound(k.start, k.len))
	if err != nil {
		return nil, fmt.Errorf("at %d: %w", k.start, blob.ErrChanged)
	}
	return text, nil
}

// Begins reports whether these are the first bytes of a body that grows and is encrypted.
func Begins(b []byte) bool { return len(b) >= len(magic) && string(b[:len(magic)]) == magic }

// Is reports whether a body is one that grows and is encrypted.
func Is(r blob.Reader) bool {
	ours, err := isOurs(r, r.Size())
	return err == nil && ours && r.Size() > 0
}
