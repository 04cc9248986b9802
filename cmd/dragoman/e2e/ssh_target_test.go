package e2e

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/pgclients"
	"dragoman.dev/dragoman/internal/sshserver"
)

// TestSSHTargets: the gateway logs in to a target by password, and only when the target has proven which one it is: by
// known_hosts, a line of an authority in it, or a host certificate.
func TestSSHTargets(t *testing.T) {
	dir := t.TempDir()
	key := func(name string) string {
		pub, err := sshserver.NewKey(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return pub
	}
	password, authority, evil := key("password"), key("authority"), key("evil")
	key("certified")
	certifyHost(t, dir, "certified", "authority", "127.0.0.1")
	certified, err := sshserver.Start(context.Background(), "HostKey "+dir+"/certified", "HostCertificate "+dir+"/certified-cert.pub")
	if err != nil {
		t.Fatal(err)
	}
	defer certified.Stop()
	asks, types := passwordServer(t, dir+"/password", "keyboard-interactive"), passwordServer(t, dir+"/password", "password")
	known := func(name, format string, args ...any) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, fmt.Appendf(nil, format+"\n", args...), 0o600); err != nil {
			t.Fatal(err)
		}
		return "known_hosts: " + path
	}
	var targets strings.Builder
	login := fmt.Sprintf("{user: %s, key: \"file:%s\"}", certified.User, certified.Key)
	secret := known("secret", "its secret")[len("known_hosts: "):]
	secret = "{user: svc, password: \"file:" + secret + "\"}"
	wrong := known("wrong", "another")[len("known_hosts: "):]
	for _, c := range targetProofs(known, types, asks, certified.Address(), password, authority, evil) {
		credentials := map[string]string{"secret": secret, "wrong": "{user: svc, password: \"file:" + wrong + "\"}", "login": login}[c.credentials]
		fmt.Fprintf(&targets, "  - {name: %s, protocol: ssh, address: %q, listen: \"127.0.0.1:$PORT\", credentials: %s, ssh: {%s}}\n", c.name, c.address, credentials, c.proof)
	}
	r := newSSH(t, sshSetup{targets: targets.String()})
	token := r.token("ops")
	for _, c := range targetProofs(known, types, asks, certified.Address(), password, authority, evil) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		out, errs, code := output(t, r.command(ctx, token, "ssh", "-p", fmt.Sprint(r.port), c.name+"@127.0.0.1", "echo in"), "")
		cancel()
		switch {
		case c.why == "" && (out != "in\n" || code != 0), c.why != "" && (out != "" || code != 255 || !strings.Contains(errs, c.why)):
			t.Errorf("%s: %q %q %d", c.name, out, errs, code)
		}
		if strings.Contains(errs, "its secret") {
			t.Errorf("%s: the client is told the password", c.name)
		}
	}
}

// targetProof is a target and how it is told from others; why is a part of the words of a refusal.
type targetProof struct{ name, address, credentials, proof, why string }

func targetProofs(known func(name, format string, args ...any) string, types, asks, certified, password, authority, evil string) []targetProof {
	keys := fmt.Sprintf("host_keys: [%q]", password)
	return []targetProof{
		{"types", types, "secret", keys, ""},
		{"asks", asks, "secret", keys, ""},
		{"wrong", types, "wrong", keys, "unable to authenticate"},
		{"hosts", types, "secret", known("hosts", "[127.0.0.1]:%s %s", port(types), password), ""},
		{"hosts-other", types, "secret", known("hosts-other", "[127.0.0.1]:%s %s", port(types), evil), "key mismatch"},
		{"hosts-none", types, "secret", known("hosts-none", "[127.0.0.1]:1 %s", password), "key is unknown"},
		{"hosts-revoked", types, "secret", known("hosts-revoked", "[127.0.0.1]:%s %s\n@revoked * %s", port(types), password, password), "revoked"},
		{"hosts-ca", certified, "login", known("hosts-ca", "@cert-authority [127.0.0.*]:%s %s", port(certified), authority), ""},
		{"hosts-ca-other", certified, "login", known("hosts-ca-other", "@cert-authority [127.0.0.*]:%s %s", port(certified), evil), "no authorities"},
		{"ca", certified, "login", fmt.Sprintf("host_authorities: [%q]", authority), ""},
		{"ca-other", certified, "login", fmt.Sprintf("host_authorities: [%q]", evil), "no authorities"},
		{"ca-name", "localhost:" + port(certified), "login", fmt.Sprintf("host_authorities: [%q]", authority), "principal"},
		{"key-of-ca", certified, "login", fmt.Sprintf("host_keys: [%q]", authority), "host key"},
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// passwordServer runs an SSH server that takes a password by that method, and gives its address.
func passwordServer(t *testing.T, key, method string) string {
	t.Helper()
	lib, err := pgclients.SSHPython(context.Background(), filepath.Join(repo, ".tools"))
	if err != nil {
		t.Fatal(err)
	}
	if lib, err = filepath.Abs(lib); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "testdata/ssh_server.py", key, method, "its secret")
	cmd.Env, cmd.Stderr = append(os.Environ(), "PYTHONPATH="+lib), os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w
	p, err := child.Start(cmd, syscall.SIGKILL)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.End(syscall.SIGTERM, 5*time.Second) })
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + strings.TrimSpace(line)
}

// certifyHost signs the certificate of a host's key.
func certifyHost(t *testing.T, dir, key, ca, name string) {
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
	cert := &ssh.Certificate{Key: pub, CertType: ssh.HostCert, KeyId: name, ValidPrincipals: []string{name},
		ValidAfter: uint64(time.Now().Add(-time.Minute).Unix()), ValidBefore: uint64(time.Now().Add(time.Hour).Unix())}
	if err := cert.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, key+"-cert.pub"), ssh.MarshalAuthorizedKey(cert), 0o600); err != nil {
		t.Fatal(err)
	}
}
