// Package e2erig has what the end-to-end tests of all protocols need of a gateway: its command line, its process, ports, and
// a folder for its configuration. What stands behind the gateway is each test package's own.
package e2erig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// commandLimit bounds one command.
const commandLimit = 60 * time.Second

// CLI is the command line of a gateway.
type CLI struct {
	Bin    string // folder of dragoman and libdragoman.so
	Config string // path of dragoman.yaml
}

// Run runs a command. err is for what could not be run; code is the command's own.
func (c CLI) Run(args ...string) (stdout, stderr string, code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	var o, e bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(c.Bin, "dragoman"), append(args, "-c", c.Config)...)
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code, err = exit.ExitCode(), nil
	}
	return o.String(), e.String(), code, err
}

// Output is what a command that succeeds prints.
func (c CLI) Output(args ...string) (string, error) {
	o, e, code, err := c.Run(args...)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit %d", code)
	}
	if err != nil {
		err = fmt.Errorf("dragoman %s: %w\n%s%s", strings.Join(args, " "), err, o, e)
	}
	return o, err
}

// Must is Output that fails the test unless the command succeeds.
func (c CLI) Must(t testing.TB, args ...string) string {
	t.Helper()
	o, err := c.Output(args...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// Token mints a token for an hour. onBehalfOf may be empty.
func (c CLI) Token(t testing.TB, subject, onBehalfOf string, groups ...string) string {
	t.Helper()
	args := []string{"token", "create", "--subject", subject, "--ttl", "1h"}
	if onBehalfOf != "" {
		args = append(args, "--on-behalf-of", onBehalfOf)
	}
	for _, group := range groups {
		args = append(args, "--group", group)
	}
	return strings.TrimSpace(c.Must(t, args...))
}
