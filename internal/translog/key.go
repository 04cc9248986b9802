package translog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// keyMagic begins an entry that hands the log from one key to the next. The entry is seven lines:
// this, the origin, the old and the new public key (base64), the time (nanoseconds), and the signatures of
// the old and of the new key over the five lines before.
const keyMagic = "dragoman log key v1"

// KeyChange is an entry that says: from here on, New signs.
type KeyChange struct {
	Origin   string
	Old, New ed25519.PublicKey
	Time     time.Time
}

func (k KeyChange) text() string {
	return strings.Join([]string{keyMagic, k.Origin, b64(k.Old), b64(k.New), strconv.FormatInt(k.Time.UnixNano(), 10)}, "\n") + "\n"
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// signKeyChange makes the entry.
func signKeyChange(origin string, from, to ed25519.PrivateKey, now time.Time) []byte {
	text := KeyChange{Origin: origin, Old: public(from), New: public(to), Time: now}.text()
	return []byte(text + b64(ed25519.Sign(from, []byte(text))) + "\n" + b64(ed25519.Sign(to, []byte(text))) + "\n")
}

// IsKeyChange tells these entries from all others.
func IsKeyChange(entry []byte) bool { return bytes.HasPrefix(entry, []byte(keyMagic+"\n")) }

// ParseKeyChange reads and verifies such an entry.
func ParseKeyChange(entry []byte) (KeyChange, error) {
	var k KeyChange
	lines := strings.Split(string(entry), "\n")
	if len(lines) != 8 || lines[0] != keyMagic || lines[7] != "" || !validOrigin(lines[1]) {
		return k, errors.New("not a change of keys")
	}
	var keys [4][]byte
	for i, l := range []string{lines[2], lines[3], lines[5], lines[6]} {
		b, err := base64.StdEncoding.Strict().DecodeString(l)
		if err != nil || len(b) != []int{ed25519.PublicKeySize, ed25519.PublicKeySize, ed25519.SignatureSize, ed25519.SignatureSize}[i] {
			return k, errors.New("a change of keys that is malformed")
		}
		keys[i] = b
	}
	ns, err := strconv.ParseInt(lines[4], 10, 64)
	if err != nil {
		return k, errors.New("a change of keys that is malformed")
	}
	k = KeyChange{Origin: lines[1], Old: keys[0], New: keys[1], Time: time.Unix(0, ns).UTC()}
	text := []byte(k.text())
	if !bytes.HasPrefix(entry, text) || !ed25519.Verify(k.Old, text, keys[2]) || !ed25519.Verify(k.New, text, keys[3]) {
		return k, errors.New("a change of keys whose signatures do not verify")
	}
	return k, nil
}

// keyRing knows which key may have signed a checkpoint of which size.
type keyRing struct {
	keys  []ed25519.PublicKey
	until []uint64 // keys[i] may sign sizes up to until[i], and none below until[i-1]
}

// add takes the change of keys in entry index.
func (r *keyRing) add(origin string, index uint64, k KeyChange) error {
	if k.Origin != origin {
		return fmt.Errorf("entry %d changes the key of another log", index)
	}
	if len(r.keys) == 0 {
		r.keys = append(r.keys, k.Old)
	}
	if !r.keys[len(r.keys)-1].Equal(k.Old) {
		return fmt.Errorf("entry %d changes a key that did not sign then", index)
	}
	r.keys, r.until = append(r.keys, k.New), append(r.until, index+1)
	return nil
}

// trust ties the ring to the key that the verifier was given. A log without changes is that key's.
func (r *keyRing) trust(pub ed25519.PublicKey) error {
	if len(r.keys) == 0 {
		r.keys = []ed25519.PublicKey{pub}
		return nil
	}
	for _, k := range r.keys {
		if k.Equal(pub) {
			return nil
		}
	}
	return errors.New("no key of this log is the one that was given")
}

// at lists the keys that may have signed a checkpoint of this size.
func (r *keyRing) at(size uint64) []ed25519.PublicKey {
	var ok []ed25519.PublicKey
	for i, k := range r.keys {
		if (i == 0 || size >= r.until[i-1]) && (i == len(r.until) || size <= r.until[i]) {
			ok = append(ok, k)
		}
	}
	return ok
}
