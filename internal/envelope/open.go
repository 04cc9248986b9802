package envelope

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"gocloud.dev/secrets"
	_ "gocloud.dev/secrets/awskms"
	_ "gocloud.dev/secrets/azurekeyvault"
	_ "gocloud.dev/secrets/gcpkms"
	_ "gocloud.dev/secrets/hashivault"
	"gocloud.dev/secrets/localsecrets"
)

// fileScheme is a KEK in a file: 32 random bytes in base64.
const fileScheme = "file"

// Open opens the KEKs: current wraps new keys, and old ones still unwrap theirs. Each is a
// URL: file:PATH, or one of awskms, gcpkms, azurekeyvault and hashivault, as gocloud.dev/secrets documents them.
func Open(ctx context.Context, current string, old ...string) (*Keyring, error) {
	return open(ctx, false, current, old)
}

// OpenOrCreate is Open, and makes the file of the current KEK, readable by its owner only, when
// it is not there.
func OpenOrCreate(ctx context.Context, current string, old ...string) (*Keyring, error) {
	return open(ctx, true, current, old)
}

func open(ctx context.Context, create bool, current string, old []string) (*Keyring, error) {
	r := &Keyring{all: map[string]kek{}}
	for i, u := range append([]string{current}, old...) {
		k, err := openKEK(ctx, u, create && i == 0)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		if i == 0 {
			r.current = k
		}
		if _, twice := r.all[k.id]; twice {
			return nil, errors.Join(fmt.Errorf("envelope: the key-encryption key %s is listed twice", k.id), k.keeper.Close(), r.Close())
		}
		r.all[k.id] = k
	}
	return r, nil
}

func openKEK(ctx context.Context, raw string, create bool) (kek, error) {
	scheme, rest, _ := strings.Cut(raw, ":")
	if scheme == fileScheme {
		return fileKEK(strings.TrimPrefix(rest, "//"), create)
	}
	if err := Check(raw); err != nil {
		return kek{}, err
	}
	k, err := secrets.OpenKeeper(ctx, raw)
	if err != nil {
		return kek{}, fmt.Errorf("envelope: %s: %w", public(raw), err)
	}
	return kek{id: public(raw), keeper: k}, nil
}

// Check says what is wrong with a KEK's URL, without opening it.
func Check(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return fmt.Errorf("envelope: key-encryption key: %w", err)
	}
	if u.Scheme == fileScheme {
		if strings.TrimPrefix(strings.TrimPrefix(raw, "file:"), "//") == "" {
			return errors.New("envelope: key-encryption key: file: without a path")
		}
		return nil
	}
	if u.Scheme != localsecrets.Scheme && secrets.DefaultURLMux().ValidKeeperScheme(u.Scheme) && u.Host+u.Path != "" {
		return nil
	}
	return fmt.Errorf("envelope: %q is no key-encryption key", public(raw))
}

// public is the URL without its query, which has settings, not the key's name.
func public(raw string) string {
	u, _, _ := strings.Cut(raw, "?")
	return u
}

// fileKEK reads a KEK from a file. Its id is of the key, not of the path, so that the
// file may be moved.
func fileKEK(path string, create bool) (kek, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		b, err = makeFile(path)
	}
	if err != nil {
		return kek{}, fmt.Errorf("envelope: key-encryption key: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return kek{}, fmt.Errorf("envelope: key-encryption key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return kek{}, fmt.Errorf("envelope: %s can be read by others than its owner: chmod 600 %s", path, path)
	}
	key, err := localsecrets.Base64KeyStd(strings.TrimSpace(string(b)))
	if err != nil {
		return kek{}, fmt.Errorf("envelope: %s holds no 32 bytes in base64", path)
	}
	return kek{id: fileID(key), keeper: localsecrets.NewKeeper(key)}, nil
}

// fileID tells keys apart and says nothing of them.
func fileID(key [KeyLen]byte) string {
	id := sha256.Sum256(append([]byte("dragoman kek id v1\x00"), key[:]...))
	return fmt.Sprintf("file-%x", id[:8])
}

// makeFile appears whole, or not at all, and never replaces one.
func makeFile(path string) ([]byte, error) {
	key, err := localsecrets.NewRandomKey()
	if err != nil {
		return nil, err
	}
	text := []byte(base64.StdEncoding.EncodeToString(key[:]) + "\n")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".kek-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path) // another process may have been first
}
