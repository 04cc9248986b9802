//go:build kube

package kubee2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/child"
)

// forwarder is kubectl port-forward, with the local ports that it has chosen.
type forwarder struct {
	child *child.Child
	ports []string
	said  *said
}

// said keeps what a program prints.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var forwardingFrom = regexp.MustCompile(`Forwarding from 127\.0\.0\.1:(\d+)`)

func (r *rig) forward(t *testing.T, token, env string, args ...string) *forwarder {
	t.Helper()
	f := &forwarder{said: &said{}}
	cmd := exec.Command(r.cluster.Tools.Kubectl, append([]string{"port-forward", "--address", "127.0.0.1"}, args...)...)
	cmd.Env = append(cmd.Environ(), "KUBECONFIG="+r.kubeconfig(t, token), env)
	cmd.Stdout, cmd.Stderr = f.said, f.said
	var err error
	if f.child, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.child.End(syscall.SIGKILL, limit) })
	err = r.await(func() bool {
		f.ports = nil
		for _, m := range forwardingFrom.FindAllStringSubmatch(f.said.String(), -1) {
			f.ports = append(f.ports, m[1])
		}
		return len(f.ports) == len(args)-1
	})
	if err != nil {
		t.Fatal(err, f.said)
	}
	return f
}

// talk sends bytes to a local port, and gives all that comes back.
func talk(t *testing.T, port, text string) []byte {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(limit))
	_, _ = io.WriteString(c, text)
	b, _ := io.ReadAll(bufio.NewReader(c)) // a connection that is refused is reset
	return b
}

// TestPortForward: kubectl port-forward to a real pod, over WebSocket and SPDY: each connection is judged, its bytes are
// masked and recorded; without the target's leave there is none.
func TestPortForward(t *testing.T) {
	const page = "hello from the pod, alice@example.com\n"
	ctx := context.Background()
	if err := shared.cluster.Pod(ctx, "default", "web", "/bin/sh", "-c",
		"mkdir /www; echo '"+strings.TrimSpace(page)+"' > /www/index.html; dd if=/dev/zero of=/www/big bs=1000000 count=8; httpd -p 8081 -h /www; exec httpd -f -p 8080 -h /www"); err != nil {
		t.Fatal(err)
	}
	token := shared.token(t, "ops")
	if o, e, code := output(t, shared.kubectl(t, token, "port-forward", "web", ":8080"), ""); code == 0 || !strings.Contains(e, "forwarded connections are off") {
		t.Errorf("a target that does not allow it: %d %s %s", code, o, e)
	}
	for name, env := range map[string]string{"over WebSocket": "", "over SPDY": "KUBECTL_PORT_FORWARD_WEBSOCKETS=false"} {
		t.Run(name, func(t *testing.T) {
			f := shared.at(shared.spdy).forward(t, token, env, "web", ":8080")
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					if got := talk(t, f.ports[0], "GET /index.html HTTP/1.0\r\n\r\n"); !bytes.Contains(got, []byte("hello from the pod, [redacted]\n")) {
						t.Errorf("%q", got)
					}
				})
			}
			all.Wait()
			_, body, _ := bytes.Cut(talk(t, f.ports[0], "GET /big HTTP/1.0\r\n\r\n"), []byte("\r\n\r\n"))
			if len(body) != 8_000_000 || sha256.Sum256(body) != sha256.Sum256(make([]byte, 8_000_000)) {
				t.Errorf("%d bytes of 8 MB", len(body))
			}
			f.child.End(syscall.SIGINT, limit)
			id, replay := shared.last(t, "port-forward web.default:8080"), ""
			err := shared.await(func() bool {
				replay = shared.Must(t, "sessions", "replay", id)
				return strings.Contains(replay, "[redacted]") && strings.Contains(replay, "GET /index.html")
			})
			if err != nil || strings.Contains(replay, "alice@example.com\\n") {
				t.Errorf("%v: the replay is %.2000s", err, replay)
			}
			for port, why := range map[string]string{":7070": "nobody's business", ":9": "refused"} { // by policy, and by the pod
				f := shared.at(shared.spdy).forward(t, token, env, "web", port)
				if got := talk(t, f.ports[0], "GET / HTTP/1.0\r\n\r\n"); len(got) > 0 {
					t.Errorf("%s answers %q", port, got)
				}
				if err := shared.await(func() bool { return strings.Contains(f.said.String(), why) }); err != nil {
					t.Errorf("%s: kubectl says %q", port, f.said)
				}
			}
		})
	}
}

// TestHoldForward: a connection that is held says nothing until it is approved, then it moves; one that is denied never does, and the
// others of the same port-forward go on meanwhile.
func TestHoldForward(t *testing.T) {
	f := shared.at(shared.spdy).forward(t, shared.token(t, "ops"), "", "web", ":8080", ":8081")
	for _, c := range []struct {
		answer string
		moves  bool
	}{{"approve", true}, {"deny", false}} {
		got := make(chan []byte, 1)
		go func() { got <- talk(t, f.ports[1], "GET /index.html HTTP/1.0\r\n\r\n") }()
		id := shared.waiting(t)
		if b := talk(t, f.ports[0], "GET /index.html HTTP/1.0\r\n\r\n"); !bytes.Contains(b, []byte("hello from the pod")) {
			t.Errorf("beside one that waits: %q", b)
		}
		select {
		case b := <-got:
			t.Errorf("before anybody said so: %q", b)
		default:
		}
		shared.Must(t, "approvals", c.answer, id, "--as", "user:dana@example.com", "--group", "leads")
		if b := <-got; bytes.Contains(b, []byte("hello from the pod")) != c.moves {
			t.Errorf("%s: %q", c.answer, b)
		}
	}
	if err := shared.await(func() bool { return strings.Contains(f.said.String(), "dragoman") }); err != nil {
		t.Errorf("kubectl says %q", f.said)
	}
}
