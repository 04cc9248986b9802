package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"dragoman.dev/dragoman/internal/config"
)

// Files in the keys folder. The token issuer's own are in a folder of theirs.
const (
	recordKeyFile = "record.key" // signs checkpoints of the transparency log; PKCS #8
	recordPubFile = "record.pub" // all that `audit verify` needs; PKIX
	maskKeyFile   = "mask.key"   // keys the hash way of masking; 32 bytes
)

const maskKeyLen = 32

// signingKey reads an Ed25519 private key, or makes it.
func signingKey(path string) (ed25519.PrivateKey, error) {
	block, err := readOrMake(path, func() ([]byte, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
	})
	if err != nil {
		return nil, err
	}
	p, _ := pem.Decode(block)
	if p == nil {
		return nil, fmt.Errorf("%s holds no key in PEM form", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(p.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is no Ed25519 key in PKCS #8 form", path)
	}
	return key, nil
}

// recordKey reads the key that signs checkpoints, or makes it, and writes its public key beside it.
func recordKey(cfg *config.Config) (ed25519.PrivateKey, error) {
	key, err := signingKey(filepath.Join(cfg.KeysDir(), recordKeyFile))
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	pub := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return key, os.WriteFile(filepath.Join(cfg.KeysDir(), recordPubFile), pub, 0o644)
}

// readRecordPub reads a public key for offline verification.
func readRecordPub(path string) (ed25519.PublicKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the public key: %w", err)
	}
	p, _ := pem.Decode(b)
	if p == nil {
		return nil, fmt.Errorf("%s holds no key in PEM form", path)
	}
	parsed, err := x509.ParsePKIXPublicKey(p.Bytes)
	key, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is no Ed25519 public key", path)
	}
	return key, nil
}

// maskKey reads the key of hashed values, or makes it. It must stay the same
// for hashes to stay joinable.
func maskKey(cfg *config.Config) ([]byte, error) {
	path := filepath.Join(cfg.KeysDir(), maskKeyFile)
	key, err := readOrMake(path, func() ([]byte, error) {
		b := make([]byte, maskKeyLen)
		_, err := rand.Read(b)
		return b, err
	})
	if err == nil && len(key) != maskKeyLen {
		err = fmt.Errorf("%s has %d bytes instead of %d", path, len(key), maskKeyLen)
	}
	return key, err
}

// readOrMake reads a file, or writes what generate gives: whole, or not at all.
func readOrMake(path string, generate func() ([]byte, error)) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = generate(); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return b, os.Rename(f.Name(), path)
}
