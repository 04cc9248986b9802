package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// echoServer answers with what it gets, and gives its address.
func echoServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

const forwardRules = sshRules + `
- {name: not-there, verdict: block, when: {kinds: [forward], paths: ["$BLOCKED"]}, reason: this door stays shut}
- {name: no-ports, verdict: block, when: {groups: [noports], verbs: [listen]}, reason: no ports here}
- {name: no-guests, verdict: block, when: {groups: [noguests], verbs: [accept]}, reason: nobody comes in}
`

// TestSSHForwards: what OpenSSH's -L, -D, -W and -R carry is judged a connection at a time, and its bytes are in the record.
func TestSSHForwards(t *testing.T) {
	open, shut := echoServer(t), echoServer(t)
	r := newSSH(t, sshSetup{ssh: "forward: true", rules: strings.ReplaceAll(forwardRules, "$BLOCKED", shut)})
	token := r.token("ops")

	local, other := freePort(t), freePort(t)
	r.forwarding(t, token, "-L", fmt.Sprintf("127.0.0.1:%d:%s", local, open), "-L", fmt.Sprintf("127.0.0.1:%d:%s", other, shut))
	echoes(t, "local", dialing("127.0.0.1", local))
	noEcho(t, "local", dialing("127.0.0.1", other))

	socks := freePort(t)
	r.forwarding(t, token, "-D", fmt.Sprintf("127.0.0.1:%d", socks))
	echoes(t, "dynamic", func() (net.Conn, error) { return dialSOCKS(socks, open) })
	noEcho(t, "dynamic", func() (net.Conn, error) { return dialSOCKS(socks, shut) })

	if out, errs, code := r.ssh(token, "jump-begin", "-W", open); out != "jump-begin" || code != 0 {
		t.Errorf("%q %q %d", out, errs, code)
	}
	if out, errs, code := r.ssh(token, "x", "-W", shut); out != "" || code == 0 || !strings.Contains(errs, "this door stays shut") {
		t.Errorf("%q %q %d", out, errs, code)
	}

	c := r.dial(token)
	for _, host := range []string{"127.0.0.1 x", "127.0.0.1\n", strings.Repeat("1", 256), "\u212aelvin", "127.0.0.1\x00"} {
		if _, _, err := c.OpenChannel("direct-tcpip", ssh.Marshal(struct {
			Host   string
			Port   uint32
			Origin string
			From   uint32
		}{host, 22, "127.0.0.1", 1})); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("the host %.20q: %v", host, err)
		}
	}
	c.Close()

	port := r.forwarding(t, token, "-R", "127.0.0.1:0:"+open)
	echoes(t, "remote", dialing("127.0.0.1", port))
	port = r.forwarding(t, r.token("ops", "noguests"), "-R", "127.0.0.1:0:"+open)
	noEcho(t, "remote", dialing("127.0.0.1", port))
	if _, errs, code := r.ssh(r.token("ops", "noports"), "", "-N", "-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:0:"+open); code != 255 || !strings.Contains(errs, "remote port forwarding failed") {
		t.Errorf("%q %d", errs, code)
	}

	r.stopForwarding()
	text := r.replayAll(t, token)
	for _, want := range []string{"connect " + open, "connect " + shut, "this door stays shut", "listen 127.0.0.1:0", "accept 127.0.0.1:", "nobody comes in", "no ports here", "jump-begin"} {
		if !strings.Contains(text, want) {
			t.Errorf("the record has no %q", want)
		}
	}
	for _, what := range []string{"local", "dynamic", "remote"} {
		for _, part := range []string{what + "-begin", what + "-end"} {
			if n := strings.Count(text, part); n < 2 { // there, and back
				t.Errorf("the record has %q %d times", part, n)
			}
		}
	}
}

// forwarding runs a client that only forwards, until the test ends; where the target gives a port, it is the result.
func (r *sshRig) forwarding(t *testing.T, token string, args ...string) (port int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := r.command(ctx, token, "ssh", append([]string{"-v", "-N", "-o", "ExitOnForwardFailure=yes", "-p", fmt.Sprint(r.port), "web1@127.0.0.1"}, args...)...)
	var errs syncBuffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		cancel()
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	r.forwarders = append(r.forwarders, cancel)
	allocated := regexp.MustCompile(`Allocated port (\d+) for remote forward`)
	await(t, func() bool {
		if args[0] != "-R" {
			return strings.Contains(errs.String(), "Entering interactive session")
		}
		m := allocated.FindStringSubmatch(errs.String())
		return m != nil && must(fmt.Sscan(m[1], &port)) == 1
	}, errs.String)
	return port
}

func (r *sshRig) stopForwarding() {
	for _, cancel := range r.forwarders {
		cancel()
	}
}

func dialing(host string, port int) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		return net.DialTimeout("tcp", net.JoinHostPort(host, fmt.Sprint(port)), time.Minute)
	}
}

// dialSOCKS reaches an IPv4 address through a SOCKS proxy (RFC 1928).
func dialSOCKS(proxy int, address string) (net.Conn, error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	c, err := dialing("127.0.0.1", proxy)()
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	var method [2]byte
	var answer [10]byte
	hello, ask := []byte{5, 1, 0}, append([]byte{5, 1, 0, 1}, to.IP.To4()...)
	ask = append(ask, byte(to.Port>>8), byte(to.Port))
	for _, step := range []struct{ say, hear []byte }{{hello, method[:]}, {ask, answer[:]}} {
		if _, err = c.Write(step.say); err == nil {
			_, err = io.ReadFull(c, step.hear)
		}
		if err != nil {
			c.Close()
			return nil, err
		}
	}
	if answer[1] != 0 {
		c.Close()
		return nil, fmt.Errorf("the proxy says %d", answer[1])
	}
	return c, nil
}

// echoes sends more than a window of SSH and expects it back.
func echoes(t *testing.T, what string, dial func() (net.Conn, error)) {
	t.Helper()
	c, err := dial()
	if err != nil {
		t.Fatal(what, err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	sent := append(append([]byte(what+"-begin "), bytes.Repeat([]byte("0123456789abcdef"), 200_000)...), " "+what+"-end"...)
	go func() {
		_, _ = c.Write(sent)
	}()
	got := make([]byte, len(sent))
	if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%s: %d bytes of %d came back: %v", what, n, len(sent), err)
	}
}

// noEcho expects that a connection gives nothing.
func noEcho(t *testing.T, what string, dial func() (net.Conn, error)) {
	t.Helper()
	c, err := dial()
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	_, _ = c.Write([]byte("refused"))
	if b, err := io.ReadAll(c); len(b) > 0 || isTimeout(err) {
		t.Errorf("%s: a blocked connection gave %.20q, %v", what, b, err)
	}
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}
