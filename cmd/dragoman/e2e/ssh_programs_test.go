package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/pgclients"
	"dragoman.dev/dragoman/internal/sftpwire"
)

// TestSSHPrograms: JSch, dropbear's client, and PuTTY's do what they do with an sshd.
func TestSSHPrograms(t *testing.T) {
	r := newSSH(t, sshSetup{})
	token := r.token("ops")
	t.Run("jsch", func(t *testing.T) {
		jar, err := pgclients.JSch(context.Background(), filepath.Join(repo, ".tools"))
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{"password", "keyboard-interactive"} {
			out, errs, code := r.other(t, token, "java", "-XX:TieredStopAtLevel=1", "-cp", jar, "testdata/clients/JschClient.java", fmt.Sprint(r.port), r.known, t.TempDir(), method)
			if code != 0 || !strings.Contains(out, "all good") {
				t.Fatalf("%d %s %s", code, out, errs)
			}
		}
	})
	t.Run("dropbear", func(t *testing.T) { dropbear(t, r, token) })
	t.Run("putty", func(t *testing.T) { putty(t, r, token) })
	t.Run("excess", func(t *testing.T) { excess(t, r, token) })
}

// excess: some clients (rclone of Debian 12) send more than a packet says behind the data of a write; it goes no further.
func excess(t *testing.T, r *sshRig, token string) {
	c := r.dial(token)
	defer c.Close()
	f, path := newRawSFTP(t, c), filepath.Join(t.TempDir(), "made")
	opened := f.do(sftpwire.Request{Type: sftpwire.Open, Path: path, Flags: sftpwire.FlagWrite | sftpwire.FlagCreate, Rest: []byte{0, 0, 0, 0}})
	for i, text := range []string{"one ", "two ", "three"} {
		if res := f.do(sftpwire.Request{Type: sftpwire.Write, Handle: opened.Handle, Offset: uint64(4 * i), Data: []byte(text), Rest: []byte("behind")}); res.Code != sftpwire.OK {
			t.Errorf("%+v", res)
		}
	}
	f.do(sftpwire.Request{Type: sftpwire.Close, Handle: opened.Handle})
	if got, err := os.ReadFile(path); err != nil || string(got) != "one two three" {
		t.Errorf("%q %v", got, err)
	}
}

// other runs a client that is not OpenSSH, with a home of its own that knows the gateway's key.
func (r *sshRig) other(t *testing.T, token, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	home := filepath.Join(r.dir, "home", ".ssh")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "known_hosts"), []byte("127.0.0.1 "+r.gatewayKey(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(home), "DROPBEAR_PASSWORD="+token, "DRAGOMAN_TEST_TOKEN="+token)
	return output(t, cmd, "from stdin\n")
}

// gatewayKey is the gateway's public host key, a line.
func (r *sshRig) gatewayKey(t *testing.T) string {
	t.Helper()
	pub, err := os.ReadFile(filepath.Join(r.dir, "data", "keys", "ssh_host_ed25519.pub"))
	if err != nil {
		t.Fatal(err)
	}
	return string(pub)
}

func dropbear(t *testing.T, r *sshRig, token string) {
	run := func(command string) (string, string, int) {
		return r.other(t, token, "dbclient", "-p", fmt.Sprint(r.port), "web1@127.0.0.1", command)
	}
	if out, errs, code := run("cat; echo oops >&2; exit 4"); out != "from stdin\n" || !strings.Contains(errs, "oops") || code != 4 {
		t.Errorf("%q %q %d\n%s", out, errs, code, r.log)
	}
	if out, errs, code := run("rm x"); out != "" || !strings.Contains(errs, "nothing is removed here") || code != 126 {
		t.Errorf("%q %q %d", out, errs, code)
	}
	if out, errs, code := r.other(t, "not-a-token", "dbclient", "-p", fmt.Sprint(r.port), "web1@127.0.0.1", "echo in"); out != "" || !strings.Contains(errs, "dragoman: authentication failed") {
		t.Errorf("%q %q %d", out, errs, code) // its status is 0
	}
}

func putty(t *testing.T, r *sshRig, token string) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(r.gatewayKey(t)))
	if err != nil {
		t.Fatal(err)
	}
	options := func(token string) []string {
		return []string{"-batch", "-P", fmt.Sprint(r.port), "-hostkey", ssh.FingerprintSHA256(key), "-pw", token}
	}
	plink := func(command string) (string, string, int) {
		return r.other(t, token, "plink", append(options(token), "-ssh", "web1@127.0.0.1", command)...)
	}
	if out, errs, code := plink("cat; echo oops >&2; exit 4"); out != "from stdin\n" || !strings.Contains(errs, "oops") || code != 4 {
		t.Errorf("%q %q %d\n%s", out, errs, code, r.log)
	}
	if out, errs, code := plink("rm x"); out != "" || !strings.Contains(errs, "nothing is removed here") || code != 126 {
		t.Errorf("%q %q %d", out, errs, code)
	}
	if out, errs, code := r.other(t, token, "plink", append(options("not-a-token"), "-ssh", "web1@127.0.0.1", "echo in")...); code == 0 || out != "" {
		t.Errorf("%q %q %d", out, errs, code)
	}
	dir := t.TempDir()
	content := bytes.Repeat([]byte("0123456789abcdef\n"), 40_000)
	local, batch := filepath.Join(dir, "local"), filepath.Join(dir, "batch")
	for path, b := range map[string][]byte{local: content, batch: fmt.Appendf(nil, "put %s %s/up\nmv %s/up %s/moved\nget %s/moved %s/back\nls %s\n", local, dir, dir, dir, dir, dir, dir)} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, errs, code := r.other(t, token, "psftp", append(options(token), "-b", batch, "web1@127.0.0.1")...); code != 0 || !strings.Contains(out, "moved") {
		t.Errorf("%q %q %d", out, errs, code)
	}
	if out, errs, code := r.other(t, token, "pscp", append(options(token), "web1@127.0.0.1:"+dir+"/moved", dir+"/again")...); code != 0 {
		t.Errorf("%q %q %d", out, errs, code)
	}
	for _, path := range []string{dir + "/back", dir + "/again"} {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes %v", path, len(got), err)
		}
	}
}
