// Package envelope is envelope encryption: each session's body has a data key of
// its own, and the data key is kept wrapped by a key-encryption key (KEK) that lives
// in a file, a cloud KMS or Vault's transit engine.
//
// Whoever has the files but not the KEK reads nothing. Whoever destroys a wrapped
// data key destroys what it encrypts, wherever copies of that are.
package envelope

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gocloud.dev/secrets"
)

// KeyLen is the length of a data key in bytes: AES-256.
const KeyLen = 32

// Errors of Unwrap, beside those of the KEK's keeper.
var (
	ErrUnknownKEK = errors.New("the data key is wrapped by a key-encryption key that is not configured")
	ErrWrapped    = errors.New("the wrapped data key is damaged, or another session's")
)

// Wrapped is a data key as it is stored. Its JSON form is the file's content.
type Wrapped struct {
	Version int    `json:"version"` // 1
	Session string `json:"session"`
	KEK     string `json:"kek"` // id of the key-encryption key
	Key     []byte `json:"key"` // what the keeper made of the session id, a zero and the key
}

// Encode gives the JSON form with a line's end.
func (w Wrapped) Encode() []byte {
	b, err := json.Marshal(w)
	if err != nil { // no field can fail
		panic(err)
	}
	return append(b, '\n')
}

// maxWrapped bounds the JSON form: a KMS adds a few hundred bytes.
const maxWrapped = 16 << 10

// Parse reads the JSON form. What is not one gives ErrWrapped.
func Parse(b []byte) (Wrapped, error) {
	var w Wrapped
	if len(b) > maxWrapped {
		return w, fmt.Errorf("%d bytes: %w", len(b), ErrWrapped)
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return Wrapped{}, fmt.Errorf("%v: %w", err, ErrWrapped)
	}
	if w.Version != 1 || w.Session == "" || w.KEK == "" || len(w.Key) == 0 || d.More() {
		return Wrapped{}, ErrWrapped
	}
	return w, nil
}

// kek is one key-encryption key.
type kek struct {
	id     string
	keeper *secrets.Keeper
}

// Keyring wraps and unwraps data keys: with the current KEK, and with older ones
// what they have wrapped. It is safe for use by several goroutines.
type Keyring struct {
	current kek
	all     map[string]kek
}

// Current is the id of the KEK that wraps new keys.
func (r *Keyring) Current() string { return r.current.id }

// New makes a data key for the session; stored is its Wrapped form, encoded.
func (r *Keyring) New(ctx context.Context, session string) (key [KeyLen]byte, stored []byte, err error) {
	if _, err := rand.Read(key[:]); err != nil {
		return key, nil, err
	}
	w, err := r.wrap(ctx, session, key)
	return key, w.Encode(), err
}

func (r *Keyring) wrap(ctx context.Context, session string, k [KeyLen]byte) (Wrapped, error) {
	sealed, err := r.current.keeper.Encrypt(ctx, append([]byte(session+"\x00"), k[:]...))
	if err != nil {
		return Wrapped{}, fmt.Errorf("envelope: key-encryption key %s: %w", r.current.id, err)
	}
	return Wrapped{Version: 1, Session: session, KEK: r.current.id, Key: sealed}, nil
}

// Unwrap gives the session's data key. The errors are ErrUnknownKEK, ErrWrapped, and
// those of a keeper that cannot be reached or refuses.
func (r *Keyring) Unwrap(ctx context.Context, session string, stored []byte) (key [KeyLen]byte, err error) {
	w, err := Parse(stored)
	if err != nil {
		return key, fmt.Errorf("envelope: session %s: %w", session, err)
	}
	return r.unwrap(ctx, session, w)
}

func (r *Keyring) unwrap(ctx context.Context, session string, w Wrapped) (k [KeyLen]byte, err error) {
	by, ok := r.all[w.KEK]
	if !ok {
		return k, fmt.Errorf("envelope: %s: %w", w.KEK, ErrUnknownKEK)
	}
	plain, err := by.keeper.Decrypt(ctx, w.Key)
	if err != nil {
		return k, fmt.Errorf("envelope: key-encryption key %s: %w", w.KEK, err)
	}
	name := []byte(session + "\x00")
	if w.Session != session || len(plain) != len(name)+KeyLen || subtle.ConstantTimeCompare(plain[:len(name)], name) != 1 {
		return k, fmt.Errorf("envelope: session %s: %w", session, ErrWrapped)
	}
	copy(k[:], plain[len(name):])
	return k, nil
}

// Rewrap wraps a data key by the current KEK; changed is false when it is already.
func (r *Keyring) Rewrap(ctx context.Context, stored []byte) (again []byte, changed bool, err error) {
	w, err := Parse(stored)
	if err != nil || w.KEK == r.current.id {
		return stored, false, err
	}
	k, err := r.unwrap(ctx, w.Session, w)
	if err != nil {
		return stored, false, err
	}
	n, err := r.wrap(ctx, w.Session, k)
	if err != nil {
		return stored, false, err
	}
	return n.Encode(), true, nil
}

// Close lets go of the keepers.
func (r *Keyring) Close() error {
	var errs []error
	for _, k := range r.all {
		errs = append(errs, k.keeper.Close())
	}
	return errors.Join(errs...)
}
