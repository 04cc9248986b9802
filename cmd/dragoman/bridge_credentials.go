package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/authz"
	"dragoman.dev/dragoman/internal/check"
	"dragoman.dev/dragoman/internal/config"
)

// sshCredentials are a password, a key, or a certificate that is minted for the session.
func (t targets) sshCredentials(ctx context.Context, target *config.Target, live authz.Live) (check.Credentials, error) {
	out, err := t.Credentials(ctx, target.Name)
	if err != nil {
		return check.Credentials{}, err
	}
	if out.User == "" {
		out.User = live.Session.User
	}
	if m := target.Credentials.Certificate; m != nil {
		ca, err := t.secrets.Resolve(ctx, m.CA)
		if err != nil {
			return check.Credentials{}, err
		}
		return mint(out, m, []byte(ca.Reveal()), live)
	}
	key, err := t.secrets.Resolve(ctx, target.Credentials.Key)
	if err != nil {
		return check.Credentials{}, err
	}
	out.PrivateKey = key.Reveal()
	return out, nil
}

// clockSkew is how far the target's clock may be behind.
const clockSkew = time.Minute

// mint makes a key and its certificate, good for one login. The target's sshd writes the certificate's key id into
// its log: the session and the whole identity chain.
func mint(out check.Credentials, m *config.SSHCertificate, ca []byte, live authz.Live) (check.Credentials, error) {
	authority, err := ssh.ParsePrivateKey(ca)
	if err != nil {
		return check.Credentials{}, errors.New("credentials.certificate.ca: it is no private key")
	}
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return check.Credentials{}, err
	}
	signer, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		return check.Credentials{}, err
	}
	principals := m.Principals
	if len(principals) == 0 {
		principals = []string{out.User}
	}
	if out.User == "" {
		return check.Credentials{}, errors.New("no login: give credentials.user, or let the client say LOGIN@TARGET")
	}
	now := time.Now()
	cert := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert, KeyId: live.Session.ID + " " + live.Identity.Chain(),
		ValidPrincipals: principals, ValidAfter: uint64(now.Add(-clockSkew).Unix()), ValidBefore: uint64(now.Add(m.TTL.Std()).Unix()),
		Permissions: ssh.Permissions{Extensions: map[string]string{"permit-pty": "", "permit-port-forwarding": ""}}}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		return check.Credentials{}, err
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		return check.Credentials{}, err
	}
	out.PrivateKey, out.Certificate = string(pem.EncodeToMemory(block)), string(ssh.MarshalAuthorizedKey(cert))
	return out, nil
}
