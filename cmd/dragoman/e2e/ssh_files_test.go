package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// filesRules let the group work in one folder, $DIR.
func filesRules(dir string) string {
	return strings.ReplaceAll(`
- {name: open, verdict: allow, when: {groups: [ops], kinds: [connect]}}
- {name: files, verdict: allow, when: {groups: [ops], kinds: [sftp], paths: ["$DIR", "$DIR/**"]}}
- {name: keep, verdict: block, when: {kinds: [sftp], verbs: [remove], paths: ["$DIR/keep"]}, reason: this one stays}
- {name: scp, verdict: allow, when: {groups: [ops], commands: [scp, rsync], paths: ["$DIR/**"]}}
`, "$DIR", dir)
}

// sftp runs OpenSSH's client with a batch of commands.
func (r *sshRig) sftp(token, batch string) (stdout, stderr string, code int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	file := filepath.Join(r.dir, "batch")
	if err := os.WriteFile(file, []byte(batch), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return output(r.t, r.command(ctx, token, "sftp", "-o", "BatchMode=no", "-b", file, "-o", "BatchMode=no", "-P", fmt.Sprint(r.port), "web1@127.0.0.1"), "")
}

func (r *sshRig) program(token, name string, args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	return output(r.t, r.command(ctx, token, name, args...), "")
}

func TestSSHFiles(t *testing.T) {
	dir := t.TempDir()
	r := newSSH(t, sshSetup{rules: filesRules(dir)})
	token := r.token("ops")
	content := bytes.Repeat([]byte("0123456789abcdef\n"), 40_000) // 680 kB: several windows
	local := filepath.Join(r.dir, "local")
	if err := os.WriteFile(local, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := r.sftp(token, fmt.Sprintf("put %s %s/up\nget %s/up %s.back\nrename %s/up %s/moved\nmkdir %s/d\nls %s\nchmod 600 %s/moved\nsymlink %s/moved %s/link\n",
		local, dir, dir, local, dir, dir, dir, dir, dir, dir, dir))
	if code != 0 {
		t.Fatalf("%d %s %s\n%s", code, out, errs, r.log)
	}
	for _, path := range []string{local + ".back", filepath.Join(dir, "moved")} {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%s: %d bytes %v", path, len(got), err)
		}
	}
	// scp: by SFTP, and by its old protocol.
	port := fmt.Sprint(r.port)
	for i, old := range [][]string{nil, {"-O"}} {
		to := fmt.Sprintf("%s/scp%d", dir, i)
		args := append(append([]string{}, old...), "-P", port, local, "web1@127.0.0.1:"+to)
		if out, errs, code := r.program(token, "scp", args...); code != 0 {
			t.Fatalf("scp %v: %d %s %s", old, code, out, errs)
		}
		if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("scp %v: %d bytes %v", old, len(got), err)
		}
	}
	for _, batch := range []string{
		"get /etc/passwd " + local + ".stolen\n", "get " + dir + "/../../etc/passwd " + local + ".stolen\n", "put " + local + " /tmp/outside\n",
		"rm " + dir + "/../" + filepath.Base(dir) + "/keep\n", "symlink /etc/passwd " + dir + "/evil\n", "rename " + dir + "/moved /tmp/moved\n", "ls /etc\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "keep"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, errs, code := r.sftp(token, batch); code == 0 || !strings.Contains(errs, "dragoman: blocked") {
			t.Errorf("%q: %d %q %q", batch, code, out, errs)
		}
	}
	// A link that is there already leads nowhere, either.
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "there")); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := r.sftp(token, "get "+dir+"/there "+local+".stolen\n"); code == 0 {
		t.Errorf("through a link: %q %q", out, errs)
	}
	if _, err := os.Stat(local + ".stolen"); err == nil {
		t.Error("something was got")
	}
	sum := sha256.Sum256(content)
	text := strings.ReplaceAll(r.replayAll(t, token), `\u003e`, ">")
	for _, want := range []string{"open " + dir + "/up for writing", "rename " + dir + "/up -> " + dir + "/moved", "written sha256:" + hex.EncodeToString(sum[:])} {
		if !strings.Contains(text, want) {
			t.Errorf("the record has no %q", want)
		}
	}
}

// TestSSHKeepFiles: the record has the content of files where the target's config says so; otherwise its digest alone.
func TestSSHKeepFiles(t *testing.T) {
	for setting, kept := range map[string]bool{"keep_files: true": true, "": false} {
		dir := t.TempDir()
		local := filepath.Join(dir, "local")
		content := append(bytes.Repeat([]byte("x"), 100_000), "k-777-1"...)
		if err := os.WriteFile(local, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r := newSSH(t, sshSetup{ssh: setting, rules: filesRules(dir)})
		token := r.token("ops")
		if _, errs, code := r.sftp(token, fmt.Sprintf("put %s %s/up\nget %s/up %s/back\n", local, dir, dir, dir)); code != 0 {
			t.Fatal(errs)
		}
		sum := sha256.Sum256(content)
		text, digest := r.replayAll(t, token), "sha256:"+hex.EncodeToString(sum[:])
		if !strings.Contains(text, "written "+digest) || !strings.Contains(text, "read "+digest) {
			t.Errorf("%q: the record has %d digests", setting, strings.Count(text, digest))
		}
		if got := recorded(t, filepath.Join(r.dir, "data"))["k-777-1"]; got != kept {
			t.Errorf("%q: the content is in the record: %v", setting, got)
		}
	}
}

// replayAll is the replay of all sessions as JSON lines.
func (r *sshRig) replayAll(t *testing.T, _ string) string {
	t.Helper()
	var text strings.Builder
	for _, s := range r.sessions(t) {
		text.WriteString(r.must("sessions", "replay", "--format", "json", s))
	}
	return text.String()
}

// sessions are the ids of all sessions, once all have ended.
func (r *sshRig) sessions(t *testing.T) (ids []string) {
	t.Helper()
	for range 600 {
		var page struct {
			Sessions []struct {
				ID   string
				Live bool
			}
		}
		if err := json.Unmarshal([]byte(r.must("sessions", "list", "--json")), &page); err != nil {
			t.Fatal(err)
		}
		ids = ids[:0]
		live := false
		for _, s := range page.Sessions {
			ids, live = append(ids, s.ID), live || s.Live
		}
		if !live && len(ids) > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ids
}
