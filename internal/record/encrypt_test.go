package record

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// encrypted makes a plain and an encrypted sealed file of the same session.
func encrypted(t *testing.T, key Key) (plain, secret string) {
	t.Helper()
	plain, stream := sealed(t, "ses_a", 120, 20_000)
	var out bytes.Buffer
	s, err := NewEncryptingSealer(&out, "ses_a", key)
	must(t, err)
	_, err = io.Copy(onlyWriter{s}, bytes.NewReader(stream))
	must(t, err)
	_, err = s.Finish()
	must(t, err)
	secret = filepath.Join(t.TempDir(), "ses_a"+SealedExt)
	must(t, os.WriteFile(secret, out.Bytes(), 0o600))
	return plain, secret
}

func keysOf(key Key) Keys { return func(string) (Key, error) { return key, nil } }

func noKeys(string) (Key, error) { return Key{}, ErrEncrypted }

func TestEncryptedRoundTrip(t *testing.T) {
	key := Key{1, 2, 3}
	plain, secret := encrypted(t, key)
	want, err := Verify(plain, nil)
	must(t, err)
	got, err := Verify(secret, keysOf(key))
	if err != nil || !got.OK() || got.Encrypted || got.Frames != want.Frames || got.Hash != want.Hash || got.Bytes != want.Bytes {
		t.Errorf("with the key: %+v %v", got, err)
	}
	for name, keys := range map[string]Keys{"no keys": nil, "not this one": noKeys} {
		got, err := Verify(secret, keys)
		if err != nil || !got.OK() || !got.Encrypted || got.Frames != want.Frames || got.Hash != want.Hash || !got.Ended {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if got, err := Verify(secret, keysOf(Key{1, 2, 4})); err != nil || got.OK() || got.Problems[0].Kind != "changed" {
		t.Errorf("another key: %+v %v", got, err)
	}
	away := errors.New("the key service is away")
	if _, err := Verify(secret, func(string) (Key, error) { return Key{}, away }); !errors.Is(err, away) {
		t.Errorf("keys that cannot be had: %v", err)
	}
	r, err := OpenPath(secret)
	must(t, err)
	defer r.Close()
	if _, err := r.Next(); !r.Encrypted() || !errors.Is(err, ErrEncrypted) {
		t.Errorf("read without a key: %v", err)
	}
}

// Two seals of one session share no bytes of their blocks, though they have one key.
func TestSealedTwiceWithOneKey(t *testing.T) {
	_, a := encrypted(t, Key{1})
	_, b := encrypted(t, Key{1})
	x, err := os.ReadFile(a)
	must(t, err)
	y, err := os.ReadFile(b)
	must(t, err)
	for i := encryptedHeaderLen + blockHeaderLen; i+32 < encryptedHeaderLen+blockHeaderLen+10_000; i += 32 {
		if bytes.Equal(x[i:i+32], y[i:i+32]) {
			t.Fatalf("the same bytes at %d", i)
		}
	}
	if bytes.Contains(x, []byte(`"agent:`)) {
		t.Error("something of the frames can be read")
	}
}

// Every change is found, with the key and without it; with the key also one that comes with a
// file hash that fits.
func TestEveryMutationOfEncryptedIsFound(t *testing.T) {
	key := Key{9}
	_, path := encrypted(t, key)
	good, err := os.ReadFile(path)
	must(t, err)
	rnd := rand.New(rand.NewPCG(8, 8))
	bad := filepath.Join(t.TempDir(), "bad.drs")
	for i := range 600 {
		b := bytes.Clone(good)
		switch i % 4 {
		case 0, 1:
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		case 2:
			b = b[:rnd.IntN(len(b))]
		case 3:
			at := rnd.IntN(len(b) + 1)
			b = append(b[:at:at], append([]byte{byte(i)}, b[at:]...)...)
		}
		must(t, os.WriteFile(bad, b, 0o600))
		for _, keys := range []Keys{nil, keysOf(key)} {
			if rep, err := Verify(bad, keys); err != nil || rep.OK() {
				t.Fatalf("mutation %d was not found: %+v %v", i, rep, err)
			}
		}
	}
	r, err := OpenPath(path)
	must(t, err)
	p := r.parts.(*sealedParts)
	first, _, err := p.header()
	must(t, err)
	must(t, r.Close())
	b := bytes.Clone(good)
	b[encryptedHeaderLen+blockHeaderLen+first.zlen/2] ^= 1
	sum := sha256.Sum256(b[:len(b)-hashLen])
	copy(b[len(b)-hashLen:], sum[:])
	must(t, os.WriteFile(bad, b, 0o600))
	if rep, err := Verify(bad, keysOf(key)); err != nil || rep.OK() {
		t.Errorf("a changed block with a file hash that fits: %+v %v", rep, err)
	}
}
