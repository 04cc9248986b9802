package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/encrypted"
	"dragoman.dev/dragoman/internal/record"
)

// Keyring makes and opens the data keys of sessions (envelope.Keyring).
type Keyring interface {
	// New makes a session's data key; stored is the form in which it is kept.
	New(ctx context.Context, session string) (key [32]byte, stored []byte, err error)
	// Unwrap opens a stored key.
	Unwrap(ctx context.Context, session string, stored []byte) ([32]byte, error)
	// Rewrap stores a key under the current key-encryption key, if it is not.
	Rewrap(ctx context.Context, stored []byte) (again []byte, changed bool, err error)
}

const (
	// DataKeys begins the keys, in the blob store, of stored data keys; they are apart from the bodies so that
	// both can be kept, backed up and destroyed apart.
	DataKeys = "datakeys/"
	keyExt   = ".key"
	// maxStoredKey bounds a stored key in bytes.
	maxStoredKey = 16 << 10
	// keysCached bounds the data keys that are kept in memory.
	keysCached = 4096
)

// dataKeys are the data keys of a store's sessions.
type dataKeys struct {
	ring  Keyring
	blobs blob.Store

	mu    sync.Mutex
	known map[string]record.Key // by session
}

// storedAt is where the data key of a body is kept.
func storedAt(bodyKey string) string {
	return DataKeys + strings.TrimSuffix(strings.TrimPrefix(bodyKey, sessionsDir), filepath.Ext(bodyKey)) + keyExt
}

func sessionOf(bodyKey string) string {
	return strings.TrimSuffix(filepath.Base(bodyKey), filepath.Ext(bodyKey))
}

// of gives the data key of a body. It makes one when create is set and there is none; without
// it, a key that is not there is record.ErrEncrypted.
func (d *dataKeys) of(ctx context.Context, bodyKey string, create bool) (record.Key, error) {
	id := sessionOf(bodyKey)
	d.mu.Lock()
	k, ok := d.known[id]
	d.mu.Unlock()
	if ok {
		return k, nil
	}
	stored, err := readSmall(ctx, d.blobs, storedAt(bodyKey), maxStoredKey)
	switch {
	case err == nil:
		key, err := d.ring.Unwrap(ctx, id, stored)
		if err != nil {
			return k, &keyError{session: id, err: err}
		}
		return d.remember(id, key), nil
	case !errors.Is(err, fs.ErrNotExist):
		return k, err
	case !create:
		return k, fmt.Errorf("session %s: %w", id, record.ErrEncrypted)
	}
	key, stored, err := d.ring.New(ctx, id)
	if err != nil {
		return k, err
	}
	if err := d.blobs.Put(ctx, storedAt(bodyKey), func(w io.Writer) error { _, err := w.Write(stored); return err }); err != nil {
		return k, err
	}
	return d.remember(id, key), nil
}

// keyError says that a data key is there and cannot be opened.
type keyError struct {
	session string
	err     error
}

func (e *keyError) Error() string {
	return fmt.Sprintf("the data key of session %s cannot be opened: %v", e.session, e.err)
}

func (e *keyError) Unwrap() error { return e.err }

func (d *dataKeys) remember(id string, key record.Key) record.Key {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil || len(d.known) >= keysCached {
		d.known = map[string]record.Key{}
	}
	d.known[id] = key
	return key
}

func readSmall(ctx context.Context, s blob.Store, key string, most int64) ([]byte, error) {
	r, err := s.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, min(r.Size(), most+1)))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: more than %d bytes", key, most)
	}
	return b, err
}

// Rewrap stores every data key under the current key-encryption key of the keyring, so that older ones can go.
// each is called after each key. It may be stopped and begun again.
func Rewrap(ctx context.Context, blobs blob.Store, ring Keyring, each func(changed bool)) error {
	return blobs.List(ctx, DataKeys, func(at string) error {
		stored, err := readSmall(ctx, blobs, at, maxStoredKey)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // destroyed meanwhile
		}
		if err != nil {
			return err
		}
		again, changed, err := ring.Rewrap(ctx, stored)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if changed {
			err = blobs.Put(ctx, at, func(w io.Writer) error { _, err := w.Write(again); return err })
		}
		if err == nil {
			each(changed)
		}
		return err
	})
}

// Archive opens the bodies of records: a store's, or a copy's.
type Archive struct {
	raw   blob.Store
	blobs blob.Store // decrypts what grows
	keys  *dataKeys  // nil: nothing is decrypted
}

// NewArchive is over the bodies in a blob store. Without a keyring what is encrypted is not read:
// record.ErrEncrypted.
func NewArchive(blobs blob.Store, ring Keyring) *Archive {
	if ring == nil {
		return &Archive{raw: blobs, blobs: blobs}
	}
	d := &dataKeys{ring: ring, blobs: blobs}
	return &Archive{raw: blobs, blobs: encrypted.New(blobs, d.of), keys: d}
}

// Open opens a record by its body's key, "sessions/YYYY/MM/DD/ID.live" or ".drs". One that
// was sealed since it was listed is found under its new name.
func (a *Archive) Open(ctx context.Context, key string) (*record.Reader, error) {
	r, err := a.open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) && filepath.Ext(key) == liveExt {
		r, err = a.open(ctx, sealedKey(key))
	}
	return r, err
}

func (a *Archive) open(ctx context.Context, key string) (*record.Reader, error) {
	b, err := a.blobs.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	if filepath.Ext(key) == liveExt {
		if a.keys == nil && encrypted.Is(b) {
			return nil, errors.Join(fmt.Errorf("%s: %w", key, record.ErrEncrypted), b.Close())
		}
		return record.NewFileReader(b, sessionOf(key), max(0, b.Size()-record.StreamHeaderLen)), nil
	}
	r, err := record.NewSealedReader(b, b.Size())
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	r.Own(b)
	if err := r.Decrypt(a.keysOf(ctx, key)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// keysOf gives the data key of one body; nil when nothing is decrypted.
func (a *Archive) keysOf(ctx context.Context, key string) record.Keys {
	if a.keys == nil {
		return nil
	}
	return func(string) (record.Key, error) { return a.keys.of(ctx, key, false) }
}

// destroyKey removes a data key for good: what it encrypts cannot be read any more, wherever it is. One may be there
// though nothing is decrypted now: encryption may have been turned off.
func (a *Archive) destroyKey(ctx context.Context, bodyKey string) error {
	a.forgetKey(sessionOf(bodyKey))
	return a.raw.Delete(ctx, storedAt(bodyKey))
}

// forgetKey takes a session's data key out of memory; "": all.
func (a *Archive) forgetKey(session string) {
	d := a.keys
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if session == "" {
		clear(d.known)
	}
	delete(d.known, session)
}

// growsEncrypted reports whether a body that grows is encrypted.
func (a *Archive) growsEncrypted(ctx context.Context, key string) (bool, error) {
	b, err := a.raw.Open(ctx, key)
	if err != nil {
		return false, err
	}
	return encrypted.Is(b), b.Close()
}
