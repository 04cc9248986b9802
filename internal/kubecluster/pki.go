package kubecluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/testca"
)

// issue makes a certificate and key, PEM, for a server on loopback and for a client. A name may be a workload's.
func (c *Cluster) issue(name string, groups ...string) (cert, key []byte, err error) {
	names := []string{"localhost", "127.0.0.1"}
	if strings.HasPrefix(name, "spiffe://") {
		names = append(names, name)
	}
	one, private, err := c.ca.Issue(pkix.Name{CommonName: name, Organization: groups}, names...)
	return []byte(one), []byte(private), err
}

// writePKI writes everybody's keys.
func (c *Cluster) writePKI() error {
	var err error
	if c.ca, err = testca.New("kubecluster"); err != nil {
		return err
	}
	dir := filepath.Join(c.Dir, "pki")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	sa, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(sa)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&sa.PublicKey)
	if err != nil {
		return err
	}
	files := map[string][]byte{"ca.crt": []byte(c.ca.PEM()), "sa.key": []byte(testca.PEM("PRIVATE KEY", private)), "sa.pub": []byte(testca.PEM("PUBLIC KEY", public))}
	for name, subject := range map[string][]string{"admin": {"admin", "system:masters"}, "apiserver": {"kube-apiserver"},
		"kubelet": {"system:node:localhost", "system:nodes"}, "kclient": {"apiserver-kubelet-client", "system:masters"}} {
		cert, key, err := c.issue(subject[0], subject[1:]...)
		if err != nil {
			return err
		}
		files[name+".crt"], files[name+".key"] = cert, key
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
