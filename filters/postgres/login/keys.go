package login

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// maxKeys bounds Keys; a target has one salt a user.
const maxKeys = 64

// Keys remembers the salted passwords of SCRAM, whose making takes a millisecond or more of the
// worker's time. It holds no secret in the clear: whoever asks must have the password, from which
// both the place of an entry and the mask over it are made. The zero value is ready; it is
// safe for concurrent use.
type Keys struct {
	mu   sync.Mutex
	own  [sha256.Size]byte // random, so that entries mean nothing outside this process
	made bool
	m    map[[sha256.Size]byte][sha256.Size]byte
}

// salted is SaltedPassword of RFC 5802: PBKDF2 of the prepared password. k may be nil.
func (k *Keys) salted(password string, salt []byte, count int) ([]byte, error) {
	if k == nil {
		return pbkdf2.Key(sha256.New, password, salt, count, sha256.Size)
	}
	place, mask := k.place(password, salt, count)
	k.mu.Lock()
	masked, ok := k.m[place]
	k.mu.Unlock()
	if ok {
		return xor(masked, mask), nil
	}
	key, err := pbkdf2.Key(sha256.New, password, salt, count, sha256.Size)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.m == nil || len(k.m) >= maxKeys {
		k.m = map[[sha256.Size]byte][sha256.Size]byte{}
	}
	k.m[place] = [sha256.Size]byte(xor([sha256.Size]byte(key), mask))
	return key, nil
}

// place says where an entry is and what is over it.
func (k *Keys) place(password string, salt []byte, count int) (place, mask [sha256.Size]byte) {
	k.mu.Lock()
	if !k.made {
		_, _ = rand.Read(k.own[:]) // never fails
		k.made = true
	}
	own := k.own
	k.mu.Unlock()
	for i, out := range [...]*[sha256.Size]byte{&place, &mask} {
		h := hmac.New(sha256.New, own[:])
		h.Write(binary.BigEndian.AppendUint64([]byte{byte(i)}, uint64(count)))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(salt))))
		h.Write(salt)
		h.Write([]byte(password))
		h.Sum(out[:0])
	}
	return place, mask
}

func xor(a, b [sha256.Size]byte) []byte {
	for i := range a {
		a[i] ^= b[i]
	}
	return a[:]
}
