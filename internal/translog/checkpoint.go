package translog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

const (
	hashLen       = sha256.Size
	algEd25519    = 1 // of a note key
	maxCheckpoint = 64 << 10
	maxOrigin     = 200
)

// Checkpoint is the text of a signed head: what its signatures are over.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   [hashLen]byte
}

// text is the note's text: origin, size and root, a line each.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// parseCheckpoint reads a note's text without looking at signatures. It accepts the one encoding only.
func parseCheckpoint(raw []byte) (Checkpoint, error) {
	var c Checkpoint
	text, _, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok || len(raw) > maxCheckpoint {
		return c, errors.New("not a signed note")
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 3 || !validOrigin(lines[0]) {
		return c, errors.New("not a checkpoint: it must have origin, size and root")
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil {
		return c, errors.New("not a checkpoint: its size is no number")
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != hashLen {
		return c, errors.New("not a checkpoint: its root is no hash")
	}
	c = Checkpoint{Origin: lines[0], Size: size, Root: [hashLen]byte(root)}
	if c.text() != string(text)+"\n" {
		return c, errors.New("not a checkpoint: not in its one encoding")
	}
	return c, nil
}

// ParseCheckpoint reads a signed checkpoint without looking at its signatures.
func ParseCheckpoint(raw []byte) (Checkpoint, error) { return parseCheckpoint(raw) }

// ValidOrigin reports whether a log can have this name.
func ValidOrigin(s string) bool { return validOrigin(s) }

// WitnessName is the name in a witness's verifier key, of the kind cosignature/v1.
func WitnessName(key string) (string, error) {
	v, err := witnessVerifiers([]string{key})
	if err != nil {
		return "", err
	}
	return v[0].Name(), nil
}

func validOrigin(s string) bool {
	if s == "" || len(s) > maxOrigin {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == '+' || r > '~' {
			return false
		}
	}
	return true
}

// openCheckpoint verifies a checkpoint by any of the keys. It returns which of them signed
// it, and the witnesses that did.
func openCheckpoint(raw []byte, c Checkpoint, keys []ed25519.PublicKey, witnesses []note.Verifier) (signers []ed25519.PublicKey, cosigned []string, err error) {
	byHash := map[uint32]ed25519.PublicKey{}
	list := append([]note.Verifier{}, witnesses...)
	for _, k := range keys {
		v := verifier{name: c.Origin, key: k}
		if _, ok := byHash[v.KeyHash()]; !ok {
			byHash[v.KeyHash()] = k
			list = append(list, v)
		}
	}
	if err := strictSignatures(raw); err != nil {
		return nil, nil, err
	}
	n, err := note.Open(raw, note.VerifierList(list...))
	if err != nil {
		return nil, nil, fmt.Errorf("its signature does not verify: %w", err)
	}
	if len(n.Sigs)+len(n.UnverifiedSigs) != signatureLines(raw) {
		return nil, nil, errors.New("it has a signature twice")
	}
	for _, s := range n.Sigs {
		if k, ok := byHash[s.Hash]; ok && s.Name == c.Origin {
			signers = append(signers, k)
			continue
		}
		cosigned = append(cosigned, s.Name)
	}
	if len(signers) == 0 {
		return nil, cosigned, errors.New("it is not signed by the log's key")
	}
	return signers, cosigned, nil
}

func signatures(raw []byte) string {
	_, sigs, _ := strings.Cut(string(raw), "\n\n")
	return sigs
}

func signatureLines(raw []byte) int { return strings.Count(signatures(raw), "\n") }

// strictSignatures refuses signature lines in any but their one encoding: base64 has bits
// that most decoders do not look at.
func strictSignatures(raw []byte) error {
	sigs := signatures(raw)
	if !strings.HasSuffix(sigs, "\n") {
		return errors.New("its signatures are cut off")
	}
	for _, line := range strings.Split(strings.TrimSuffix(sigs, "\n"), "\n") {
		sig := line[strings.LastIndexByte(line, ' ')+1:]
		b, err := base64.StdEncoding.Strict().DecodeString(sig)
		if err != nil || len(b) < 5 {
			return errors.New("a signature line is malformed")
		}
	}
	return nil
}

// keyHash is the id of an Ed25519 key in note signatures.
func keyHash(name string, alg byte, key []byte) uint32 {
	h := sha256.Sum256(append(append([]byte(name+"\n"), alg), key...))
	return binary.BigEndian.Uint32(h[:])
}

type verifier struct {
	name string
	key  ed25519.PublicKey
}

func (v verifier) Name() string                { return v.name }
func (v verifier) KeyHash() uint32             { return keyHash(v.name, algEd25519, v.key) }
func (v verifier) Verify(msg, sig []byte) bool { return ed25519.Verify(v.key, msg, sig) }

type signer struct {
	name string
	key  ed25519.PrivateKey
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return ed25519.PublicKey(k[ed25519.SeedSize:]) }

func (s signer) Name() string                    { return s.name }
func (s signer) KeyHash() uint32                 { return keyHash(s.name, algEd25519, public(s.key)) }
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// VerifierKey is the key in the form that tools for notes and witnesses take.
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	return note.NewEd25519VerifierKey(origin, key)
}

// witnessVerifiers parses witness keys (note verifier keys of the kind cosignature/v1).
func witnessVerifiers(keys []string) ([]note.Verifier, error) {
	var all []note.Verifier
	for _, k := range keys {
		v, err := fnote.NewVerifierForCosignatureV1(k)
		if err != nil {
			return nil, fmt.Errorf("witness key %q: %w", k, err)
		}
		all = append(all, v)
	}
	return all, nil
}
