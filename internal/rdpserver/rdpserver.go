// Package rdpserver runs what RDP targets are tested with, without system services: xrdp with a session of its own, FreeRDP's
// shadow server with network level authentication, and X displays without a screen. All are the distribution's programs, on loopback, on
// free ports. The end-to-end tests use it; the gateway itself does not.
package rdpserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
)

// Server is a running RDP server.
type Server struct {
	Port           int
	User, Password string
	Cert           string // file of the certificate that it shows
	Dir            string // scratch folder
	process        *child.Child
}

// Address is where it listens.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// Stop ends the server and its sessions, and removes its folder.
func (s *Server) Stop() error {
	if s.process != nil {
		s.process.End(syscall.SIGTERM, 5*time.Second)
	}
	return os.RemoveAll(s.Dir)
}

// start runs a command, whose words go to a file, until the server is ready.
func (s *Server) start(ctx context.Context, cmd *exec.Cmd, log string, ready func() bool) (err error) {
	s.process, err = localserver.Start(ctx, cmd, log, syscall.SIGKILL, ready)
	return err
}

// tries is how often a server is started: somebody else may take its port meanwhile.
const tries = 3

func retry(start func() (*Server, error)) (*Server, error) {
	var all []error
	for range tries {
		s, err := start()
		if err == nil {
			return s, nil
		}
		all = append(all, err)
		if s != nil {
			all = append(all, s.Stop())
		}
	}
	return nil, errors.Join(all...)
}

// certificate writes a certificate of 127.0.0.1 that signs itself, and its key.
func certificate(cert, key string) error {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "desk"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &priv.PublicKey, priv)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalECPrivateKey(priv)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}), 0o600))
}

// limit bounds the wait for a display.
const limit = 60 * time.Second

// Display is an X server without a screen.
type Display struct {
	Name    string // ":7"
	process *child.Child
}

// StartDisplay runs Xvfb on a display that it finds free.
func StartDisplay(width, height int) (*Display, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	p, err := child.Start(cmd, syscall.SIGKILL)
	w.Close()
	if err != nil {
		return nil, fmt.Errorf("rdpserver: %w (the package xvfb)", err)
	}
	d := &Display{process: p}
	_ = r.SetReadDeadline(time.Now().Add(limit))
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		d.Stop()
		return nil, fmt.Errorf("rdpserver: Xvfb says %q: %w", number, err)
	}
	d.Name = ":" + strings.TrimSpace(number)
	return d, nil
}

// Stop ends it, and with it whatever shows something there.
func (d *Display) Stop() { d.process.End(syscall.SIGTERM, 5*time.Second) }

// Env is the environment of a program on the display.
func (d *Display) Env() []string { return append(os.Environ(), "DISPLAY="+d.Name) }

// Run runs a program on the display and gives what it says.
func (d *Display) Run(ctx context.Context, stdin, name string, args ...string) (string, error) {
	return runOn(ctx, d.Env(), stdin, name, args...)
}

func runOn(ctx context.Context, env []string, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", name, err, bad.Bytes())
	}
	return out.String(), nil
}

// Programs are what is run here, and the distribution's package of each.
var Programs = [][2]string{{"/usr/sbin/xrdp", "xrdp"}, {"/usr/lib/xorg/modules/libxorgxrdp.so", "xorgxrdp"}, {"xfreerdp", "freerdp2-x11"},
	{"freerdp-shadow-cli", "freerdp2-shadow-x11"}, {"winpr-hash", "winpr-utils"}, {"Xvfb", "xvfb"}, {"xterm", "xterm"}, {"xsetroot", "x11-xserver-utils"},
	{"xauth", "xauth"}, {"xclip", "xclip"}, {"xdotool", "xdotool"}, {"import", "imagemagick"}, {"unshare", "util-linux"}, {"openssl", "openssl"}}

func copyFile(to, from string, more string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, append(b, more...), 0o600)
}

func scratch(name string) (string, error) {
	dir, err := os.MkdirTemp("", name)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// shadowPassword is the line of a login in /etc/shadow.
func shadowPassword(ctx context.Context, user, password string) (string, error) {
	hash, err := runOn(ctx, os.Environ(), password+"\n", "openssl", "passwd", "-6", "-stdin")
	return fmt.Sprintf("%s:%s:19000:0:99999:7:::\n", user, strings.TrimSpace(hash)), err
}

// glob is the one file that matches.
func glob(pattern string) (string, error) {
	list, err := filepath.Glob(pattern)
	if err != nil || len(list) == 0 {
		return "", fmt.Errorf("rdpserver: no %s", pattern)
	}
	return list[0], nil
}
