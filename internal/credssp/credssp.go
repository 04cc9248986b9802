// Package credssp logs in to a server by network level authentication: CredSSP (MS-CSSP) with NTLMv2 (MS-NLMP), the
// client's side. It is spoken within TLS, whose certificate the caller has verified; it binds the login to that
// certificate's key, so that nobody in the middle gets the password.
package credssp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"time"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// Credentials are a user's. Domain may be empty.
type Credentials struct{ Domain, User, Password string }

// ours is the highest version of CredSSP that is spoken; from hashed on public keys are not sent but hashed with a nonce.
const (
	ours   = 6
	hashed = 5
	oldest = 2
)

// RefusedError is a server's refusal of the credentials, with the NTSTATUS that it gave, if any.
type RefusedError uint32

func (e RefusedError) Error() string {
	switch e {
	case 0:
		return "credssp: the server closed the connection: it does not accept the credentials"
	case 0xc000006d, 0xc000006a, 0xc0000064:
		return "credssp: wrong user or password"
	}
	return fmt.Sprintf("credssp: the server refuses with status %#x", uint32(e))
}

// Login logs in on a TLS connection to host, whose certificate is cert.
func Login(rw io.ReadWriter, cert *x509.Certificate, host string, c Credentials, now time.Time) error {
	key, err := publicKey(cert)
	if err != nil {
		return err
	}
	n := &ntlm{user: c, spn: "TERMSRV/" + host, random: rand.Reader, now: now}
	theirs, err := exchange(rw, tsRequest{version: ours, token: n.first()})
	if err != nil {
		return err
	}
	version := min(ours, theirs.version)
	if version < oldest {
		return fmt.Errorf("credssp: version %d", theirs.version)
	}
	token, err := n.answer(theirs.token)
	if err != nil {
		return err
	}
	nonce := make([]byte, 32)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	req := tsRequest{version: ours, token: token}
	if version >= hashed {
		req.publicKey, req.nonce = n.wrap(bindingHash("Client-To-Server", nonce, key)), nonce
	} else {
		req.publicKey = n.wrap(key)
	}
	if theirs, err = exchange(rw, req); err != nil {
		return err
	}
	if err := n.proven(theirs.publicKey, version, nonce, key); err != nil {
		return err
	}
	_, err = rw.Write(tsRequest{version: ours, authInfo: n.wrap(encodeCredentials(c))}.encode())
	return err
}

// proven checks that the server knows the session key and has seen the same certificate.
func (n *ntlm) proven(sealed []byte, version int, nonce, key []byte) error {
	got, err := n.unwrap(sealed)
	if err != nil {
		return err
	}
	want := append([]byte{}, key...)
	want[0]++
	if version >= hashed {
		want = bindingHash("Server-To-Client", nonce, key)
	}
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return errors.New("credssp: the server has another certificate: somebody is in the middle")
	}
	return nil
}

// bindingHash is MS-CSSP 3.1.5.
func bindingHash(way string, nonce, key []byte) []byte {
	h := sha256.New()
	h.Write([]byte("CredSSP " + way + " Binding Hash\x00"))
	h.Write(nonce)
	h.Write(key)
	return h.Sum(nil)
}

// publicKey is the SubjectPublicKey of a certificate, without its algorithm.
func publicKey(cert *x509.Certificate) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(cert.RawSubjectPublicKeyInfo, &info); err != nil {
		return nil, fmt.Errorf("credssp: the server's key: %w", err)
	}
	if len(info.Key.Bytes) == 0 {
		return nil, errors.New("credssp: the server has no key")
	}
	return info.Key.Bytes, nil
}

// encodeCredentials is TSCredentials of a password (MS-CSSP 2.2.1.2).
func encodeCredentials(c Credentials) []byte {
	var fields [][]byte
	for i, s := range []string{c.Domain, c.User, c.Password} {
		fields = append(fields, wrapDER(derContext+byte(i), wrapDER(derOctets, rdpwire.AppendText(nil, s))))
	}
	const password = 1
	return wrapDER(derSequence, wrapDER(derContext, wrapDER(derInteger, []byte{password})),
		wrapDER(derContext+1, wrapDER(derOctets, wrapDER(derSequence, fields...))))
}

// exchange sends a message and reads the answer.
func exchange(rw io.ReadWriter, r tsRequest) (tsRequest, error) {
	if _, err := rw.Write(r.encode()); err != nil {
		return tsRequest{}, err
	}
	var b []byte
	for {
		head, n, err := elementSize(b)
		if err != nil {
			return tsRequest{}, err
		}
		need := len(b) + 1
		if head > 0 {
			if need = head + n; need == len(b) {
				break
			}
		}
		at := len(b)
		b = append(b, make([]byte, need-at)...)
		if _, err := io.ReadFull(rw, b[at:]); err != nil {
			if errors.Is(err, io.EOF) && at == 0 {
				return tsRequest{}, RefusedError(0)
			}
			return tsRequest{}, err
		}
	}
	answer, err := parseRequest(b)
	if err == nil && answer.errorCode != 0 {
		err = RefusedError(answer.errorCode)
	}
	return answer, err
}
