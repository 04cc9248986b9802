package login

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // what the protocol prescribes
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"filippo.io/edwards25519"
)

// native is mysql_native_password: SHA1(password) xor SHA1(nonce + SHA1(SHA1(password))).
func native(password string, nonce []byte) []byte {
	if password == "" {
		return nil
	}
	one := sha1.Sum([]byte(password))
	two := sha1.Sum(one[:])
	h := sha1.New()
	h.Write(nonce)
	h.Write(two[:])
	return xor(h.Sum(nil), one[:])
}

// sha2 is the fast way of caching_sha2_password: SHA256(password) xor SHA256(SHA256(SHA256(password)) + nonce).
func sha2(password string, nonce []byte) []byte {
	if password == "" {
		return nil
	}
	one := sha256.Sum256([]byte(password))
	two := sha256.Sum256(one[:])
	h := sha256.New()
	h.Write(two[:])
	h.Write(nonce)
	return xor(h.Sum(nil), one[:])
}

func xor(a, b []byte) []byte {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

// minKey is the shortest RSA key of a server that is used.
const minKey = 2048

// encrypted is the password, xored with the nonce, under the server's public key (RSA, OAEP with SHA-1).
func encrypted(password string, nonce, key []byte) ([]byte, error) {
	block, _ := pem.Decode(key)
	if block == nil || len(nonce) == 0 {
		return nil, fmt.Errorf("%w: the server's public key is not PEM", ErrMethod)
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: the server's public key: %v", ErrMethod, err)
	}
	k, ok := pub.(*rsa.PublicKey)
	if !ok || k.N.BitLen() < minKey {
		return nil, fmt.Errorf("%w: the server's public key is not RSA of %d bits or more", ErrMethod, minKey)
	}
	plain := clearText(password)
	for i := range plain {
		plain[i] ^= nonce[i%len(nonce)]
	}
	return rsa.EncryptOAEP(sha1.New(), rand.Reader, k, plain, nil)
}

// ed25519 is MariaDB's client_ed25519: an Ed25519 signature of the nonce, whose secret is the SHA-512 of the password
// itself rather than that of a seed.
func ed25519(password string, nonce []byte) ([]byte, error) {
	h := sha512.Sum512([]byte(password))
	secret, err := edwards25519.NewScalar().SetBytesWithClamping(h[:32])
	if err != nil {
		return nil, err
	}
	public := new(edwards25519.Point).ScalarBaseMult(secret).Bytes()
	rs, err := scalar(h[32:], nonce)
	if err != nil {
		return nil, err
	}
	r := new(edwards25519.Point).ScalarBaseMult(rs).Bytes()
	k, err := scalar(r, public, nonce)
	if err != nil {
		return nil, err
	}
	s := edwards25519.NewScalar().MultiplyAdd(k, secret, rs)
	return append(r, s.Bytes()...), nil
}

func scalar(parts ...[]byte) (*edwards25519.Scalar, error) {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return edwards25519.NewScalar().SetUniformBytes(h.Sum(nil))
}
