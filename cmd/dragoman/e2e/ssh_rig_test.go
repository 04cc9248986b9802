package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/sshserver"
)

// sshRig is a gateway in front of a real sshd.
type sshRig struct {
	*gateway
	sshd  *sshserver.Server
	port  int
	known string // known_hosts with the gateway's key
	keys  string // folder of the bridge's keys; "" is the control plane's
	ask   string // an askpass program that answers with $DRAGOMAN_TEST_TOKEN

	forwarders []context.CancelFunc // end clients that forward
}

// sshSetup is what differs: lines of the target's ssh section, and the policy's rules. Credentials default to the key.
type sshSetup struct {
	ssh, credentials, top, rules string
	target                       string // lines of the target
	targets                      string // more targets; $PORT is where the first one listens
	files                        map[string]string
}

const sshRules = `
- {name: open, verdict: allow, when: {groups: [ops], kinds: [connect]}}
- {name: ops, verdict: allow, when: {groups: [ops], kinds: [exec, shell, sftp, forward]}}
- {name: no-rm, verdict: block, when: {commands: [rm]}, reason: nothing is removed here, hint: ask for a ticket}
- {name: ask, verdict: hold, when: {groups: [ops], commands: [touch]}, approvers: [leads], reason: people decide about new files}
`

func newSSH(t testing.TB, s sshSetup) *sshRig {
	t.Helper()
	sshd, err := sshserver.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sshd.Stop() })
	r := &sshRig{sshd: sshd, port: freePort(t)}
	if s.files == nil {
		s.files = map[string]string{}
	}
	if s.credentials == "" {
		s.credentials = fmt.Sprintf("{user: %s, key: \"file:%s\"}", sshd.User, sshd.Key)
	}
	s.credentials = strings.NewReplacer("$USER", sshd.User, "$CA", sshd.CA).Replace(s.credentials)
	if s.rules == "" {
		s.rules = sshRules
	}
	s.files["policy/rules.yaml"] = s.rules
	r.gateway = newGateway(t, setup{Config: fmt.Sprintf(`targets:
  - name: web1
    protocol: ssh
    address: %s
    listen: 127.0.0.1:%d
    credentials: %s
    ssh:
      host_keys: ["%s"]
%s
%s
%s
policy: {dir: policy}
%s`, sshd.Address(), r.port, s.credentials, sshd.HostKey, indentLines(s.ssh), strings.ReplaceAll(indentLines(s.target), "\n      ", "\n    ")[2:],
		strings.ReplaceAll(s.targets, "$PORT", fmt.Sprint(r.port)), s.top), Files: s.files})
	r.gateway.start()
	pub, err := os.ReadFile(filepath.Join(r.dir, "data", "keys", "ssh_host_ed25519.pub"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("known_hosts", fmt.Sprintf("[127.0.0.1]:%d %s", r.port, pub))
	r.write("askpass", "#!/bin/sh\necho \"$DRAGOMAN_TEST_TOKEN\"\n")
	r.known, r.ask = filepath.Join(r.dir, "known_hosts"), filepath.Join(r.dir, "askpass")
	if err := os.Chmod(r.ask, 0o700); err != nil {
		t.Fatal(err)
	}
	return r
}

func indentLines(s string) string {
	return "      " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n      ")
}

// options are those of every OpenSSH client.
func (r *sshRig) options() []string {
	return []string{"-F", "none", "-o", "UserKnownHostsFile=" + r.known, "-o", "StrictHostKeyChecking=yes", "-o", "NumberOfPasswordPrompts=1",
		"-o", "IdentityFile=none", "-o", "IdentityAgent=none"}
}

// command is an OpenSSH program with a token.
func (r *sshRig) command(ctx context.Context, token, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, append(r.options(), args...)...)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+r.ask, "SSH_ASKPASS_REQUIRE=force", "DRAGOMAN_TEST_TOKEN="+token)
	return cmd
}

// ssh runs a command on the target.
func (r *sshRig) ssh(token, stdin string, args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := r.command(ctx, token, "ssh", append([]string{"-p", fmt.Sprint(r.port), "web1@127.0.0.1"}, args...)...)
	return output(r.t, cmd, stdin)
}

func output(t testing.TB, cmd *exec.Cmd, stdin string) (stdout, stderr string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return o.String(), e.String(), exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return o.String(), e.String(), 0
}
