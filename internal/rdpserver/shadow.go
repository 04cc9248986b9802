package rdpserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/localserver"
)

// StartShadow runs FreeRDP's shadow server, which shows a display, with network level authentication.
func StartShadow(ctx context.Context, d *Display) (*Server, error) {
	return retry(func() (*Server, error) { return launchShadow(ctx, d) })
}

func launchShadow(ctx context.Context, d *Display) (*Server, error) {
	dir, err := scratch("shadow-")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, User: "agent", Password: "An0ther-Pass"}
	if s.Port, err = localserver.FreePort(); err != nil {
		return s, err
	}
	sam, err := runOn(ctx, os.Environ(), "", "winpr-hash", "-u", s.User, "-p", s.Password, "-f", "sam")
	if err != nil {
		return s, err
	}
	file := filepath.Join(dir, "sam")
	if err := os.WriteFile(file, []byte(strings.TrimSpace(sam)+"\n"), 0o600); err != nil {
		return s, err
	}
	log := filepath.Join(dir, "out.log")
	cmd := exec.Command("freerdp-shadow-cli", fmt.Sprintf("/port:%d", s.Port), "/bind-address:127.0.0.1", "/sec:nla", "/sam-file:"+file, "/auth")
	cmd.Env = append(d.Env(), "HOME="+dir, "XDG_CONFIG_HOME="+dir)
	if err := s.start(ctx, cmd, log, localserver.Answers(s.Address())); err != nil {
		return s, fmt.Errorf("rdpserver: %w (the package freerdp2-shadow-x11)", err)
	}
	s.Cert, err = glob(filepath.Join(dir, "freerdp", "shadow", "shadow.crt"))
	return s, err
}
