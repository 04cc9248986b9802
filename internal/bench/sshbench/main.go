// Command sshbench compares, in one interleaved run, an OpenSSH server that is reached directly and through dragoman with
// policy and recording on: copying files, opening a session, and a key's way there and back. It prints a table and
// writes it into a page. It asserts nothing: whether a goal is reached is a column of the table.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/bench/report"
)

// options of a run, all flags.
type options struct {
	tools, bin, doc, durability string
	only                        string
	rounds, mib, opens          int
}

func main() {
	var o options
	flag.StringVar(&o.tools, "tools", ".tools", "folder of the pinned Envoy")
	flag.StringVar(&o.bin, "bin", "bin", "folder of dragoman and libdragoman.so")
	flag.StringVar(&o.doc, "doc", "", "page to write the table into, between its marks")
	flag.StringVar(&o.durability, "durability", "write", "of the record")
	flag.StringVar(&o.only, "only", "", "take just the copies whose name has this in it, to look closer at one")
	flag.IntVar(&o.rounds, "rounds", 5, "interleaved rounds")
	flag.IntVar(&o.mib, "mib", 256, "size of the file that is copied")
	flag.IntVar(&o.opens, "opens", 20, "commands run one after another, each on a connection of its own")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "sshbench:", err)
		os.Exit(1)
	}
}

const (
	direct   = "direct"
	dragoman = "dragoman"
	keeps    = "dragoman, keep_files"
)

func run(ctx context.Context, o options) error {
	r, err := startRig(ctx, o)
	if err != nil {
		return err
	}
	defer r.stop()
	data := make([]byte, o.mib<<20)
	_, _ = rand.Read(data) // never fails
	if err := os.WriteFile(filepath.Join(r.dir, "big"), data, 0o600); err != nil {
		return err
	}
	for name, text := range map[string]string{"put": "put " + r.dir + "/big " + r.dir + "/sftp-up\n", "get": "get " + r.dir + "/big " + r.dir + "/sftp-down\n"} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	m := newMeasures(o)
	for range o.rounds {
		if err := m.round(ctx, r); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s; %d rounds, files of %d MiB with random content, durability `%s`; Envoy %s, %d cores\n\n%s", time.Now().UTC().Format(time.DateOnly), o.rounds, o.mib, o.durability,
		envoy.Version, runtime.NumCPU(), report.Table(m.all(), []string{direct, dragoman, keeps}, dragoman))
	fmt.Print(text)
	if o.doc == "" {
		return nil
	}
	return report.WriteMarked(o.doc, "ssh", "\n"+text)
}
