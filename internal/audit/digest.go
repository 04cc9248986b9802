package audit

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	digestFile = "digests"
	// digestDomain keeps these signatures apart from all others of the same key.
	digestDomain = "dragoman record digest v1\n"
	maxDigest    = 64 << 10
)

// Digest is one sealed file's line in the digests file: this as JSON, a tab, and the base64 of
// the Ed25519 signature over the domain and the JSON's bytes.
type Digest struct {
	N       uint64    `json:"n"` // 0, 1, 2 …
	Time    time.Time `json:"time"`
	Session string    `json:"session"`
	File    string    `json:"file"` // relative to the store, with "/"
	Frames  uint64    `json:"frames"`
	Bytes   uint64    `json:"bytes"`
	// Hash is the chain hash of the last frame, FileHash the SHA-256 that the sealed file's footer holds.
	Hash     string `json:"hash"`
	FileHash string `json:"file_hash"`
	Ended    bool   `json:"ended"`
	Lost     bool   `json:"lost,omitempty"`
	// Prev is the SHA-256 of the line before (without its newline), "" in the first.
	Prev string `json:"prev"`
}

// digestLog appends digests.
type digestLog struct {
	key  ed25519.PrivateKey
	f    *os.File
	size int64
	n    uint64
	prev string
	last map[string]string // session: file hash, of what is signed
}

func openDigests(path string, key ed25519.PrivateKey) (*digestLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	d := &digestLog{key: key, f: f, last: map[string]string{}}
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.Join(errors.New("not an Ed25519 key"), f.Close())
	}
	err = readDigests(f, pub, func(g Digest, line int) error {
		d.last[g.Session] = g.FileHash
		d.size += int64(line)
		return nil
	}, func(n uint64, prev string) { d.n, d.prev = n, prev })
	if errors.Is(err, errTornDigest) {
		err = f.Truncate(d.size) // a crash while it was written; it is made again
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return d, nil
}

// add signs and writes a digest; it is on the disk when add returns. One that is there already is not written twice.
func (d *digestLog) add(g Digest) error {
	if d.last[g.Session] == g.FileHash {
		return nil
	}
	g.N, g.Prev = d.n, d.prev
	line, err := signDigest(d.key, g)
	if err != nil {
		return err
	}
	if _, err := d.f.WriteAt(append(line, '\n'), d.size); err != nil {
		return errors.Join(err, d.f.Truncate(d.size))
	}
	if err := d.f.Sync(); err != nil {
		return err
	}
	d.size += int64(len(line)) + 1
	d.n, d.prev = d.n+1, lineHash(line)
	d.last[g.Session] = g.FileHash
	return nil
}

func (d *digestLog) close() error { return d.f.Close() }

func signDigest(key ed25519.PrivateKey, g Digest) ([]byte, error) {
	body, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	sig := ed25519.Sign(key, append([]byte(digestDomain), body...))
	return append(append(body, '\t'), base64.StdEncoding.EncodeToString(sig)...), nil
}

func lineHash(line []byte) string {
	h := sha256.Sum256(line)
	return hex.EncodeToString(h[:])
}

// errTornDigest: the last line has no newline.
var errTornDigest = errors.New("the last digest is torn")

// readDigests checks chain and signatures and calls f for each digest with its line's length. at tells
// where the chain is: the next number and the hash before it.
func readDigests(r io.Reader, pub ed25519.PublicKey, f func(Digest, int) error, at func(uint64, string)) error {
	br := bufio.NewReaderSize(r, maxDigest)
	prev := ""
	for n := uint64(0); ; n++ {
		at(n, prev)
		line, err := br.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF:
			return errTornDigest
		case err != nil:
			return fmt.Errorf("digest %d: %w", n, err)
		}
		g, err := parseDigest(line[:len(line)-1], pub)
		if err == nil && (g.N != n || g.Prev != prev) {
			err = errors.New("does not follow from the one before")
		}
		if err != nil {
			return fmt.Errorf("digest %d: %w", n, err)
		}
		prev = lineHash(line[:len(line)-1])
		if err := f(g, len(line)); err != nil {
			return err
		}
	}
}

func parseDigest(line []byte, pub ed25519.PublicKey) (Digest, error) {
	var g Digest
	body, sig64, ok := bytes.Cut(line, []byte("\t"))
	sig, err := base64.StdEncoding.DecodeString(string(sig64))
	if !ok || err != nil || len(sig) != ed25519.SignatureSize ||
		!ed25519.Verify(pub, append([]byte(digestDomain), body...), sig) {
		return g, errors.New("the signature does not verify")
	}
	return g, json.Unmarshal(body, &g)
}
