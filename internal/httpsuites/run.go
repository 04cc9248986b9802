package httpsuites

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// H2Spec runs the suite, or the named sections of it, against a server of HTTP/2 without TLS at addr. A case that
// hears nothing for the time to wait has failed.
func H2Spec(ctx context.Context, tools, addr string, wait time.Duration, sections ...string) (Results, error) {
	bin, err := ensureH2Spec(ctx, tools)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dgm-h2spec-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	report := filepath.Join(dir, "report.xml")
	args := append([]string{"--strict", "-h", host, "-p", port, "-o", strconv.Itoa(int(wait / time.Second)), "-j", report}, sections...)
	out, err := exec.CommandContext(ctx, bin, args...).CombinedOutput()
	var failed *exec.ExitError // when cases have
	if err != nil && !errors.As(err, &failed) {
		return nil, fmt.Errorf("h2spec: %w", err)
	}
	b, err := os.ReadFile(report)
	if err != nil {
		return nil, fmt.Errorf("h2spec: %w\n%s", err, out)
	}
	return parseJUnit(b)
}

// parseJUnit reads h2spec's report. A section's package is its number; cases have texts, which are not unique.
func parseJUnit(b []byte) (Results, error) {
	var doc struct {
		Suites []struct {
			Package string `xml:"package,attr"`
			Cases   []struct {
				Class   string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	// What a server said stands in it as it came.
	b = bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\n' {
			return -1
		}
		return r
	}, bytes.ToValidUTF8(b, []byte("?")))
	if err := xml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("h2spec's report: %w", err)
	}
	all := Results{}
	for _, s := range doc.Suites {
		for i, c := range s.Cases {
			how := "passed"
			switch {
			case c.Failure != nil, c.Error != nil:
				how = "failed"
			case c.Skipped != nil:
				how = "skipped"
			}
			all[fmt.Sprintf("%s/%d %s", s.Package, i+1, c.Class)] = how
		}
	}
	return all, nil
}

// Autobahn runs the cases that the patterns name (all, when none does) but those of without, against a server that
// sends back each message, at addr.
func Autobahn(ctx context.Context, tools, addr string, cases, without []string) (Results, error) {
	home, err := ensureAutobahn(ctx, tools)
	if err != nil {
		return nil, err
	}
	out, err := runAutobahn(ctx, home, addr, strings.Join(cases, ","), strings.Join(without, ","))
	for again := 0; crashed(err) && ctx.Err() == nil && again < crashes; again++ {
		out, err = runAutobahn(ctx, home, addr, strings.Join(cases, ","), strings.Join(without, ","))
	}
	if err != nil {
		return nil, fmt.Errorf("running Autobahn's cases: %w", err)
	}
	var got map[string][]string
	if err := json.Unmarshal(out, &got); err != nil {
		return nil, fmt.Errorf("running Autobahn's cases: %w\n%s", err, out)
	}
	all := Results{}
	for name, how := range got {
		all[name] = strings.Join(how, ", ")
	}
	return all, nil
}

// crashes is how often the program may crash by itself, which its native parts do now and then under load: it says nothing of the server.
const crashes = 3

func runAutobahn(ctx context.Context, home, addr, cases, without string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "python3", "autobahn.py", addr, cases, without)
	cmd.Dir = home
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, words.Bytes())
	}
	return out, nil
}

// crashed reports whether a signal ended a program.
func crashed(err error) bool {
	var e *exec.ExitError
	if !errors.As(err, &e) {
		return false
	}
	status, ok := e.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}
