//go:build kube

package kubee2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"dragoman.dev/dragoman/internal/kubecluster"
)

// before stands before the real API server and answers a handshake of WebSocket as servers before 1.30 do, which do not know
// v5.channel.k8s.io; the rest passes. (Such a server itself is not built here: it would be another 11 minutes.)
type before struct {
	listener net.Listener
	cluster  *kubecluster.Cluster
	refused  atomic.Int64
	upgraded atomic.Int64
}

func newBefore(c *kubecluster.Cluster) (*before, error) {
	pki := filepath.Join(c.Dir, "pki")
	pair, err := tls.LoadX509KeyPair(pki+"/apiserver.crt", pki+"/apiserver.key")
	if err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return nil, err
	}
	b := &before{listener: l, cluster: c}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(conn)
		}
	}()
	return b, nil
}

func (b *before) address() string { return b.listener.Addr().String() }

func (b *before) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	if strings.EqualFold(req.Header.Get("Upgrade"), "websocket") {
		b.refused.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\nbad WebSocket protocol\n")
		return
	}
	if strings.HasPrefix(req.Header.Get("Upgrade"), "SPDY/") {
		b.upgraded.Add(1)
	}
	up, err := tls.Dial("tcp", strings.TrimPrefix(b.cluster.Server, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return
	}
	defer up.Close()
	if req.Write(up) != nil {
		return
	}
	go func() {
		_, _ = io.Copy(up, r)
		_ = up.CloseWrite()
	}()
	_, _ = io.Copy(conn, up)
}

// TestOldServer: to a target that refuses WebSocket the streams are carried over SPDY, and clients see nothing of that.
func TestOldServer(t *testing.T) {
	r, token := shared.at(shared.old), shared.token(t, "ops")
	for _, env := range []string{"", overSPDY} {
		refused, upgraded := r.before.refused.Load(), r.before.upgraded.Load()
		for _, c := range []struct {
			args    []string
			in, out string
			code    int
		}{{args: []string{"shell", "--", "echo", "hello"}, out: "hello\n"}, {args: []string{"shell", "--", "sh", "-c", "exit 4"}, code: 4},
			{args: []string{"-i", "shell", "--", "cat"}, in: "there and back\n", out: "there and back\n"}} {
			cmd := r.kubectl(t, token, append([]string{"exec"}, c.args...)...)
			cmd.Env = append(cmd.Env, env)
			if o, e, code := output(t, cmd, c.in); code != c.code || o != c.out {
				t.Errorf("%v: %d %q %s", c.args, code, o, e)
			}
		}
		if r.before.refused.Load() != refused+3 || r.before.upgraded.Load() != upgraded+3 {
			t.Errorf("%d handshakes were refused, %d upgrades asked for", r.before.refused.Load()-refused, r.before.upgraded.Load()-upgraded)
		}
	}
}
