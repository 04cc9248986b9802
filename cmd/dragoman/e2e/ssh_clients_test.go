package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/pgclients"
	"dragoman.dev/dragoman/internal/sshserver"
)

// TestSSHPythonClients: paramiko and asyncssh do what they do with an sshd.
func TestSSHPythonClients(t *testing.T) {
	lib, err := pgclients.SSHPython(context.Background(), filepath.Join(repo, ".tools"))
	if err != nil {
		t.Fatal(err)
	}
	if lib, err = filepath.Abs(lib); err != nil {
		t.Fatal(err)
	}
	r := newSSH(t, sshSetup{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "testdata/ssh_clients.py", fmt.Sprint(r.port), t.TempDir(), r.known)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+lib, "DRAGOMAN_TEST_TOKEN="+r.token("ops"))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "all good") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestSSHKeysAndCertificates: keys that are bound, certificates of a configured CA, and none else; towards the
// target, a certificate that is minted for the session, whose key id sshd logs.
func TestSSHKeysAndCertificates(t *testing.T) {
	dir := t.TempDir()
	keys := map[string]string{}
	for _, name := range []string{"bound", "other", "ca", "evil"} {
		pub, err := sshserver.NewKey(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = pub
	}
	r := newSSH(t, sshSetup{credentials: "{user: $USER, certificate: {ca: \"file:$CA\"}}", top: fmt.Sprintf(`identity:
  ssh:
    keys:
      - {key: "%s", subject: "agent:ci-bot", on_behalf_of: "user:alice@example.com", groups: [ops]}
    authorities:
      - {key: "%s", groups: [ops], principals: [dev]}
`, keys["bound"], keys["ca"])})
	login := func(key string) (string, string, int) {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "ssh", "-F", "none", "-o", "UserKnownHostsFile="+r.known, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", filepath.Join(dir, key),
			"-p", fmt.Sprint(r.port), "web1@127.0.0.1", "echo in")
		return output(t, cmd, "")
	}
	if out, errs, code := login("bound"); out != "in\n" || code != 0 {
		t.Fatalf("%q %q %d\n%s", out, errs, code, r.log)
	}
	if _, _, code := login("other"); code != 255 {
		t.Error("a key that is bound to nobody is let in")
	}
	certify(t, dir, "other", "evil", "dev")
	if _, _, code := login("other"); code != 255 {
		t.Error("a certificate of another CA is let in")
	}
	certify(t, dir, "other", "ca", "root")
	if _, _, code := login("other"); code != 255 {
		t.Error("a certificate with another principal is let in")
	}
	certify(t, dir, "other", "ca", "dev")
	if out, errs, code := login("other"); out != "in\n" || code != 0 {
		t.Fatalf("%q %q %d\n%s", out, errs, code, r.log)
	}
	log, err := os.ReadFile(r.sshd.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"user:alice@example.com>agent:ci-bot", "user:bob@example.com"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("sshd's log has no %q:\n%s", want, log)
		}
	}
}

// certify signs a key's certificate, for bob.
func certify(t *testing.T, dir, key, ca, principal string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, key+".pub"))
	if err != nil {
		t.Fatal(err)
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(b)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile(filepath.Join(dir, ca)); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: pub, CertType: ssh.UserCert, KeyId: "bob@example.com", ValidPrincipals: []string{principal},
		ValidAfter: uint64(time.Now().Add(-time.Minute).Unix()), ValidBefore: uint64(time.Now().Add(time.Minute).Unix())}
	if err := cert.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, key+"-cert.pub"), ssh.MarshalAuthorizedKey(cert), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSSHHostKey: a target with another host key is not logged in to.
func TestSSHHostKey(t *testing.T) {
	other, err := sshserver.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Stop()
	r := newSSH(t, sshSetup{})
	config, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.write("dragoman.yaml", strings.ReplaceAll(string(config), r.sshd.HostKey, other.HostKey))
	r.start()
	if out, errs, code := r.ssh(r.token("ops"), "", "id"); code != 255 || out != "" || !strings.Contains(errs, "host key") {
		t.Errorf("%q %q %d", out, errs, code)
	}
}
