// Command demo starts a real PostgreSQL with the database `shop` and the
// gateway in front of it, and stays in the foreground; Ctrl-C stops both.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/examples/demo/shop"
	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/pgserver"
)

func main() {
	tools := flag.String("tools", ".tools", "folder in which fetched tools are kept")
	binary := flag.String("dragoman", "bin/dragoman", "the built gateway")
	config := flag.String("c", "examples/demo/dragoman.yaml", "the demo's configuration")
	port := flag.Int("db-port", 15433, "port of the demo's PostgreSQL")
	flag.Parse()
	if err := run(*tools, *binary, *config, *port); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(tools, binary, config string, port int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Println("demo: starting PostgreSQL", pgserver.Newest)
	home, err := pgserver.Ensure(ctx, tools, pgserver.Newest)
	if err != nil {
		return err
	}
	db, err := pgserver.Start(ctx, pgserver.Options{Home: home, Port: port})
	if err != nil {
		return fmt.Errorf("starting the demo database on port %d (is another demo running?): %w", port, err)
	}
	defer db.Stop()
	password, err := writePassword(filepath.Join(filepath.Dir(config), "data", "shop-password"))
	if err != nil {
		return err
	}
	if err := shop.Fill(ctx, db, password); err != nil {
		return err
	}
	return gateway(ctx, binary, config)
}

// writePassword makes the target's password anew; only the gateway learns it.
func writePassword(path string) (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	p := hex.EncodeToString(b)
	return p, os.WriteFile(path, []byte(p+"\n"), 0o600)
}

// gateway runs `dragoman up` until it ends or ctx does.
func gateway(ctx context.Context, binary, config string) error {
	cmd := exec.Command(binary, "up", "-c", config, "--log-level", "warn")
	cmd.Stderr = os.Stderr
	// A group of its own, so that Ctrl-C reaches it once, from us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w := io.Pipe()
	cmd.Stdout = w
	p, err := child.Start(cmd, syscall.SIGTERM)
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	go watch(r, ready)
	for {
		select {
		case <-ready:
			fmt.Print(strings.ReplaceAll(hints, "@CONFIG@", config))
			ready = nil
		case <-p.Done():
			switch err := p.Wait(); {
			case ctx.Err() != nil:
				return nil
			case err == nil:
				return errors.New("the gateway ended by itself")
			default:
				return err
			}
		case <-ctx.Done():
			p.End(syscall.SIGTERM, 30*time.Second)
			return nil
		}
	}
}

// watch copies the gateway's output and closes ready at the line "ready".
func watch(r io.Reader, ready chan<- struct{}) {
	told := false
	for s := bufio.NewScanner(r); s.Scan(); {
		fmt.Println(s.Text())
		if !told && strings.TrimSpace(s.Text()) == "ready" {
			told = true
			close(ready)
		}
	}
}

const hints = `
Try, in another terminal:

  # a token for an agent that acts for a human
  export PGPASSWORD=$(bin/dragoman token create -c @CONFIG@ --subject agent:ci-bot \
      --on-behalf-of user:alice@example.com --group analysts --group dba --ttl 1h)

  # ssn and card are redacted, the e-mail is partly masked
  psql "host=127.0.0.1 port=15432 user=agent dbname=shop" -c 'SELECT * FROM customers LIMIT 3'

  # blocked before the database sees it
  psql "host=127.0.0.1 port=15432 user=agent dbname=shop" -c 'DELETE FROM orders'

  # held until a human decides
  psql "host=127.0.0.1 port=15432 user=agent dbname=shop" -c "UPDATE orders SET quantity = 2 WHERE id = 7" &
  bin/dragoman approvals list -c @CONFIG@
  bin/dragoman approvals approve HOLD -c @CONFIG@ --as user:dana@example.com --group dba

  # what happened, exactly
  bin/dragoman sessions list -c @CONFIG@
  bin/dragoman sessions replay SESSION -c @CONFIG@
  bin/dragoman audit verify -c @CONFIG@

  # the same in a browser: a link that signs you in
  bin/dragoman login -c @CONFIG@

Ctrl-C stops everything.
`
