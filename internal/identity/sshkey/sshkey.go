// Package sshkey proves identities by SSH public keys and user certificates: keys
// that the config binds to somebody, and certificates of CAs that it trusts. That the client has
// the private key is proven by the SSH handshake, which is not here.
package sshkey

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/identity"
)

// Binding says whose key it is.
type Binding struct {
	Key        string // as in authorized_keys
	Subject    string
	OnBehalfOf string
	Groups     []string
}

// Authority is a CA of user certificates.
type Authority struct {
	Key        string
	Subject    string // template of {key_id} and {principal}; "" is user:{key_id}
	OnBehalfOf string
	Groups     []string
	Principals []string // globs; empty: any
}

// Verifier maps keys and certificates to identities. It is safe for concurrent use.
type Verifier struct {
	keys  map[string]Binding // by the key's wire form
	cas   map[string]Authority
	now   func() time.Time
	check *ssh.CertChecker
}

// New makes a Verifier; a key that is bound twice is an error.
func New(keys []Binding, cas []Authority, now func() time.Time) (*Verifier, error) {
	v := &Verifier{keys: map[string]Binding{}, cas: map[string]Authority{}, now: now}
	for _, b := range keys {
		wire, err := wireOf(b.Key)
		if err != nil {
			return nil, fmt.Errorf("the key of %s: %w", b.Subject, err)
		}
		if _, dup := v.keys[wire]; dup {
			return nil, fmt.Errorf("the key of %s is bound twice", b.Subject)
		}
		v.keys[wire] = b
	}
	for _, a := range cas {
		wire, err := wireOf(a.Key)
		if err != nil {
			return nil, fmt.Errorf("an SSH authority: %w", err)
		}
		if a.Subject == "" {
			a.Subject = "user:{key_id}"
		}
		v.cas[wire] = a
	}
	v.check = &ssh.CertChecker{Clock: now, SupportedCriticalOptions: []string{"source-address"},
		IsUserAuthority: func(auth ssh.PublicKey) bool { _, ok := v.cas[string(auth.Marshal())]; return ok }}
	return v, nil
}

func wireOf(line string) (string, error) {
	k, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return "", err
	}
	if _, cert := k.(*ssh.Certificate); cert {
		return "", errors.New("it is a certificate; give the key")
	}
	return string(k.Marshal()), nil
}

// Identify proves who has a key or certificate, in SSH's wire form. It fails with *identity.Error.
func (v *Verifier) Identify(wire []byte) (identity.Proof, error) {
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return identity.Proof{}, identity.Refuse(identity.ReasonMalformed, "not a public key: %v", err)
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		return v.certificate(cert, wire)
	}
	b, ok := v.keys[string(key.Marshal())]
	if !ok {
		return identity.Proof{}, identity.Refuse(identity.ReasonSignature, "the key %s is bound to nobody", ssh.FingerprintSHA256(key))
	}
	id := chain(b.OnBehalfOf, b.Subject, b.Groups)
	id.Issuer, id.Method, id.TokenID = "identity.ssh.keys", identity.MethodSSHKey, ssh.FingerprintSHA256(key)
	return identity.Proof{Identity: id}, nil
}

func (v *Verifier) certificate(cert *ssh.Certificate, wire []byte) (identity.Proof, error) {
	a, ok := v.cas[string(cert.SignatureKey.Marshal())]
	switch {
	case !ok:
		return identity.Proof{}, identity.Refuse(identity.ReasonIssuer, "the certificate's CA %s is not trusted", ssh.FingerprintSHA256(cert.SignatureKey))
	case cert.CertType != ssh.UserCert:
		return identity.Proof{}, identity.Refuse(identity.ReasonClaims, "it is no user certificate")
	}
	principal, ok := pick(cert.ValidPrincipals, a.Principals)
	if !ok {
		return identity.Proof{}, identity.Refuse(identity.ReasonClaims, "the certificate has no principal that is accepted: %q", cert.ValidPrincipals)
	}
	if err := v.check.CheckCert(principal, cert); err != nil { // signature, time, critical options
		reason := identity.ReasonSignature
		if strings.Contains(err.Error(), "expired") {
			reason = identity.ReasonExpired
		}
		return identity.Proof{}, &identity.Error{Reason: reason, Issuer: ssh.FingerprintSHA256(cert.SignatureKey), Err: err}
	}
	fill := strings.NewReplacer("{key_id}", identity.Escape(cert.KeyId), "{principal}", identity.Escape(principal))
	id := chain(fill.Replace(a.OnBehalfOf), fill.Replace(a.Subject), a.Groups)
	sum := sha256.Sum256(wire)
	id.Issuer, id.Method, id.TokenID = ssh.FingerprintSHA256(cert.SignatureKey), identity.MethodSSHCert, hex.EncodeToString(sum[:])
	p := identity.Proof{Identity: id}
	if cert.ValidAfter > 0 && cert.ValidAfter < 1<<62 {
		p.Issued = time.Unix(int64(cert.ValidAfter), 0)
	}
	if cert.ValidBefore != ssh.CertTimeInfinity {
		p.Identity.Expires = time.Unix(int64(min(cert.ValidBefore, 1<<40)), 0)
	}
	return p, nil
}

// pick is the first principal that one of the globs matches. A certificate without
// principals would be good for everybody, so it is good for nobody.
func pick(principals, globs []string) (string, bool) {
	for _, p := range principals {
		if p == "" {
			continue
		}
		if len(globs) == 0 {
			return p, true
		}
		for _, g := range globs {
			if ok, err := path.Match(g, p); err == nil && ok {
				return p, true
			}
		}
	}
	return "", false
}

func chain(principal, subject string, groups []string) identity.Identity {
	names := []string{subject}
	if principal != "" && principal != subject {
		names = []string{principal, subject}
	}
	id := identity.New(names...)
	id.Groups = append(id.Groups, groups...)
	return id
}

// Known reports whether a key is bound, or a certificate is of an authority: whether a client is
// worth being asked for a signature. It proves nothing.
func (v *Verifier) Known(key ssh.PublicKey) bool {
	if cert, ok := key.(*ssh.Certificate); ok {
		_, ok := v.cas[string(cert.SignatureKey.Marshal())]
		return ok
	}
	_, ok := v.keys[string(key.Marshal())]
	return ok
}
