// Package token mints and verifies Dragoman's own tokens: JWTs signed with
// Ed25519, delegation as RFC 8693 "act", and keeps what was issued and revoked.
// Other issuers' tokens are left to package oidc.
package token

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxKeyFile bounds a key file; ours have about 120 bytes.
const maxKeyFile = 16 << 10

// reloadEvery bounds how often an unknown key id makes the folder be read again.
const reloadEvery = time.Second

// Keys is a folder of Ed25519 keys: "<time>-<kid>.pem" (PKCS#8), the latest
// name signs and all verify; "*.pub.pem" (PKIX) verify only. Rotate by adding
// one; retire an old key by deleting its file when its tokens have expired. A
// single key file in place of the folder works too, but cannot be rotated.
type Keys struct {
	dir string
	now func() time.Time

	mu     sync.Mutex
	read   time.Time
	signer ed25519.PrivateKey
	signID string
	public map[string]ed25519.PublicKey
}

// OpenKeys reads the folder and makes the first key when there is none. A
// private key that others than its owner may read is an error.
func OpenKeys(dir string, now func() time.Time) (*Keys, error) {
	if !isFile(dir) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
	}
	k := &Keys{dir: dir, now: now}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.load(); err != nil {
		return nil, err
	}
	if k.signer == nil {
		if _, err := k.add(); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Rotate adds a key, which signs from now on, and returns its id. Older keys
// still verify.
func (k *Keys) Rotate() (kid string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.add()
}

// KeyID is the id of the key that signs.
func (k *Keys) KeyID() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.signID
}

func (k *Keys) signing() (string, ed25519.PrivateKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.signID, k.signer
}

// lookup finds a public key. An unknown id makes it read the folder again, at
// most once a second, so that another process's rotation is seen.
func (k *Keys) lookup(kid string) (ed25519.PublicKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.public[kid]; ok {
		return key, true
	}
	if k.now().Sub(k.read) < reloadEvery {
		return nil, false
	}
	if k.load() != nil {
		return nil, false // what was loaded stays in force
	}
	key, ok := k.public[kid]
	return key, ok
}

func isFile(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode().IsRegular()
}

// add needs the lock. The file appears whole or not at all.
func (k *Keys) add() (string, error) {
	if isFile(k.dir) {
		return "", fmt.Errorf("token: %s is one key file: use a folder to have several", k.dir)
	}
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	kid, err := thumbprint(pub)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	f, err := os.CreateTemp(k.dir, ".new-*") // 0600
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	defer os.Remove(f.Name())
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(k.dir, fmt.Sprintf("%020d-%s.pem", k.now().UnixNano(), kid)))
	}
	if err != nil {
		return "", fmt.Errorf("token: writing a key: %w", err)
	}
	if err := k.load(); err != nil {
		return "", err
	}
	return k.signID, nil
}

// load needs the lock; on an error nothing changes.
func (k *Keys) load() error {
	k.read = k.now()
	paths, err := k.files()
	if err != nil {
		return err
	}
	public := map[string]ed25519.PublicKey{}
	var signer ed25519.PrivateKey
	var signID string
	for _, path := range paths {
		pub, priv, err := readKey(path)
		if err != nil {
			return err
		}
		kid, err := thumbprint(pub)
		if err != nil {
			return err
		}
		public[kid] = pub
		if priv != nil {
			signer, signID = priv, kid
		}
	}
	k.public, k.signer, k.signID = public, signer, signID
	return nil
}

// files lists the key files, in the order of their names.
func (k *Keys) files() ([]string, error) {
	if isFile(k.dir) {
		return []string{k.dir}, nil
	}
	entries, err := os.ReadDir(k.dir) // sorted
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), ".pem") {
			paths = append(paths, filepath.Join(k.dir, e.Name()))
		}
	}
	return paths, nil
}

// readKey reads one PEM file; priv is nil for a public key.
func readKey(path string) (pub ed25519.PublicKey, priv ed25519.PrivateKey, err error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("token: %w", err)
	}
	if fi.Size() > maxKeyFile {
		return nil, nil, fmt.Errorf("token: %s: too large for a key", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("token: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, nil, fmt.Errorf("token: %s: not a PEM file", path)
	}
	switch block.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if pub, ok := key.(ed25519.PublicKey); err == nil && ok {
			return pub, nil, nil
		}
	case "PRIVATE KEY":
		if fi.Mode().Perm()&0o077 != 0 {
			return nil, nil, fmt.Errorf("token: %s: others may read it (mode %04o): run chmod 600 on it", path, fi.Mode().Perm())
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if priv, ok := key.(ed25519.PrivateKey); err == nil && ok {
			return priv.Public().(ed25519.PublicKey), priv, nil
		}
	}
	return nil, nil, fmt.Errorf("token: %s: not an Ed25519 key", path)
}

// thumbprint is the key id (RFC 7638, SHA-256, base64url).
func thumbprint(pub ed25519.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: pub}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// KeyIDs are the ids of all keys that verify, sorted.
func (k *Keys) KeyIDs() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids := make([]string, 0, len(k.public))
	for id := range k.public {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
