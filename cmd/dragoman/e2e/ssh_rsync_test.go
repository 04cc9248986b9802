package e2e

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSSHRsync: rsync up and down, judged as the command that it runs on the target; one that is outside of the folder does not run.
func TestSSHRsync(t *testing.T) {
	dir, local, outside := t.TempDir(), t.TempDir(), t.TempDir()
	content := bytes.Repeat([]byte("0123456789abcdef\n"), 40_000)
	for _, path := range []string{filepath.Join(local, "tree/a/big"), filepath.Join(local, "tree/small"), filepath.Join(outside, "secret")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := newSSH(t, sshSetup{rules: filesRules(dir)})
	token := r.token("ops")
	rsync := func(args ...string) (string, string, int) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		like := r.command(ctx, token, "ssh", "-p", fmt.Sprint(r.port))
		cmd := exec.CommandContext(ctx, "rsync", append([]string{"-e", strings.Join(append([]string{"ssh"}, like.Args[1:]...), " ")}, args...)...)
		cmd.Env = like.Env
		return output(t, cmd, "")
	}
	const host = "web1@127.0.0.1:"
	if out, errs, code := rsync("-a", local+"/tree/", host+dir+"/up/"); code != 0 {
		t.Fatalf("%q %q %d\n%s", out, errs, code, r.log)
	}
	if out, errs, code := rsync("-az", "--checksum", host+dir+"/up/", local+"/back/"); code != 0 {
		t.Fatalf("%q %q %d", out, errs, code)
	}
	for _, path := range []string{dir + "/up/a/big", local + "/back/a/big", local + "/back/small"} {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	for _, args := range [][]string{
		{"-a", host + outside + "/secret", local + "/stolen"}, {"-a", host + dir + "/../" + filepath.Base(outside) + "/secret", local + "/stolen"},
		{"-a", "--old-args", host + dir + "/up/small " + outside + "/secret", local + "/stolen/"},
		{"-a", local + "/tree/", host + outside + "/up/"}, {"-a", "--rsync-path", "touch " + outside + "/ran; rsync", local + "/tree/", host + dir + "/up/"},
		{"-a", "--backup-dir", outside, "--backup", local + "/tree/", host + dir + "/up/"}, {"-a", "-s", host + outside + "/secret", local + "/stolen"},
		{"-a", "--temp-dir", outside, local + "/tree/", host + dir + "/up/"}, {"-a", "--link-dest", outside, local + "/tree/", host + dir + "/new/"},
		{"-a", "--files-from", ":" + outside + "/secret", host + dir, local + "/stolen"}, {"-a", "--remove-source-files", host + outside + "/", local + "/stolen"},
	} {
		if out, errs, code := rsync(args...); code == 0 || !strings.Contains(errs, "dragoman: blocked") {
			t.Errorf("%q: %q %q %d", args, out, errs, code)
		}
	}
	for _, path := range []string{outside + "/up", outside + "/ran", local + "/stolen/secret"} {
		if _, err := os.Stat(path); err == nil {
			t.Error(path, "was made")
		}
	}
	text := strings.ReplaceAll(r.replayAll(t, token), `\u003e`, ">")
	for _, want := range []string{"rsync --server -", dir + "/up/", "rsync --server --sender"} {
		if !strings.Contains(text, want) {
			t.Errorf("the record has no %q", want)
		}
	}
	// What rsync says has lengths between the files' bytes, so that most of it is no text.
	const line = "0123456789abcdef"
	if !strings.Contains(text, line) && !strings.Contains(text, hex.EncodeToString([]byte(line))) {
		t.Error("the record has no content of the files")
	}
}
