// Package load sends work through a peer and measures what came of it: rates,
// times, and what the processes on the way used meanwhile.
package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/proc"
)

// PgBench is one way to run `pgbench -S`.
type PgBench struct {
	Binary  string
	Mode    string // -M: "prepared" or "simple"
	Clients int
	Connect bool // -C: a new connection for every transaction
	Time    time.Duration
}

// Rate is what a run of pgbench gave.
type Rate struct {
	PerSecond float64 // transactions
	// Proxy and Control are CPU microseconds a transaction.
	Proxy, Control float64
	// After is what both took after the run, until they were quiet, by transaction.
	After float64
	// Record is what the sealed records take, bytes a transaction.
	Record float64
	// Threads are CPU microseconds a transaction of the proxy's threads.
	Threads map[string]float64
}

// warmUp ends with the first progress report that has transactions: until then
// sessions are opened, caches fill, and nothing is counted.
const warmUp = time.Second

// errFew says that opening the sessions took so long that too little was left to measure.
var errFew = errors.New("too few reports of progress")

// Run runs it. Transactions and CPU are counted between the first and the last
// progress report, so that opening the sessions counts only with Connect. pgbench's
// time includes that, so where it leaves too little the run is made again, longer.
func (b PgBench) Run(ctx context.Context, p *peer.Peer) (Rate, error) {
	for opening := warmUp; ; opening *= 4 {
		rate, err := b.run(ctx, p, b.Time+opening)
		if !errors.Is(err, errFew) || opening > 10*warmUp {
			return rate, err
		}
		if _, err := Quiet(ctx, p); err != nil {
			return rate, err
		}
	}
}

func (b PgBench) run(ctx context.Context, p *peer.Peer, length time.Duration) (Rate, error) {
	ctx, cancel := context.WithTimeout(ctx, length+2*time.Minute)
	defer cancel()
	args := []string{"-n", "-S", "-M", b.Mode, "-c", strconv.Itoa(b.Clients), "-j", "2",
		"-T", strconv.Itoa(int(length.Seconds())), "-P", "1", "--progress-timestamp"}
	if b.Connect {
		args = append(args, "-C")
	}
	before, err := p.Records()
	if err != nil {
		return Rate{}, err
	}
	cmd := exec.CommandContext(ctx, b.Binary, append(args, p.DSN())...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.Password, "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return Rate{}, err
	}
	if err := cmd.Start(); err != nil {
		return Rate{}, err
	}
	w := window{peer: p}
	var said strings.Builder
	for s := bufio.NewScanner(stderr); s.Scan(); {
		said.WriteString(s.Text() + "\n")
		if report, ok := parseProgress(s.Text()); ok {
			w.add(report)
		}
	}
	if err := cmd.Wait(); err != nil {
		return Rate{}, fmt.Errorf("pgbench through %s: %w\n%s%s", p.Name, err, out.String(), said.String())
	}
	rate, err := w.rate()
	if err != nil {
		return Rate{}, fmt.Errorf("pgbench through %s: %w\n%s%s", p.Name, err, out.String(), said.String())
	}
	return rate, rate.settle(ctx, p, before, processed(out.String()))
}

// settle waits for the records and makes sure that there are some.
func (r *Rate) settle(ctx context.Context, p *peer.Peer, before peer.Records, transactions float64) error {
	if p.Name != peer.Dragoman {
		return nil
	}
	cpu, err := Quiet(ctx, p)
	if err != nil {
		return err
	}
	after, err := p.Records()
	if err != nil {
		return err
	}
	if after.Sealed <= before.Sealed {
		return fmt.Errorf("%s has recorded nothing", p.Name)
	}
	r.After = float64(cpu.Nanoseconds()) / 1000 / transactions
	r.Record = float64(after.Bytes-before.Bytes) / transactions
	return nil
}

var processedLine = regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)`)

// processed is how many transactions the whole run had, from pgbench's summary.
func processed(summary string) float64 {
	m := processedLine.FindStringSubmatch(summary)
	if m == nil {
		return math.NaN()
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return n
}

// progress is one of pgbench's reports: since the one before, the rate was PerSecond.
type progress struct {
	at        float64 // seconds
	perSecond float64
}

var progressLine = regexp.MustCompile(`^progress: ([0-9.]+) s, ([0-9.]+) tps`)

func parseProgress(line string) (progress, bool) {
	m := progressLine.FindStringSubmatch(line)
	if m == nil {
		return progress{}, false
	}
	at, err1 := strconv.ParseFloat(m[1], 64)
	rate, err2 := strconv.ParseFloat(m[2], 64)
	return progress{at: at, perSecond: rate}, err1 == nil && err2 == nil
}

// window sums up what is between the first and the last report.
type window struct {
	peer         *peer.Peer
	reports      []progress
	first, last  usage
	transactions float64
	err          error
}

func (w *window) add(p progress) {
	u, err := takeUsage(w.peer)
	if err != nil {
		w.err = err
	}
	if n := len(w.reports); n == 0 {
		if p.perSecond == 0 {
			return
		}
		w.first = u
	} else {
		w.transactions += p.perSecond * (p.at - w.reports[n-1].at)
	}
	w.last = u
	w.reports = append(w.reports, p)
}

func (w *window) rate() (Rate, error) {
	if w.err != nil {
		return Rate{}, w.err
	}
	n := len(w.reports)
	if n < 2 || w.transactions < 1 {
		return Rate{}, fmt.Errorf("%w: %d with %.0f transactions", errFew, n, w.transactions)
	}
	r := Rate{PerSecond: w.transactions / (w.reports[n-1].at - w.reports[0].at), Threads: map[string]float64{}}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / w.transactions }
	r.Proxy, r.Control = each(w.last.proxy-w.first.proxy), each(w.last.control-w.first.control)
	for name, d := range w.last.threads {
		r.Threads[name] = each(d - w.first.threads[name])
	}
	return r, nil
}

// usage is CPU time used so far.
type usage struct {
	proxy, control time.Duration
	threads        map[string]time.Duration
}

func takeUsage(p *peer.Peer) (usage, error) {
	var u usage
	var err error
	if p.Proxy != 0 {
		if u.proxy, err = proc.CPU(p.Proxy); err != nil {
			return u, err
		}
		if u.threads, err = byRole(p.Proxy); err != nil {
			return u, err
		}
	}
	if p.Control != 0 {
		u.control, err = proc.CPU(p.Control)
	}
	return u, err
}

// Roles of a proxy's threads. A thread of the Go runtime carries the name of the
// thread that made it, so only the oldest of a worker's name is the worker.
const (
	Workers = "workers"
	Others  = "other threads"
)

func byRole(pid int) (map[string]time.Duration, error) {
	threads, err := proc.Threads(pid)
	if err != nil {
		return nil, err
	}
	oldest := map[string]int{}
	for _, t := range threads {
		if id, ok := oldest[t.Name]; !ok || t.ID < id {
			oldest[t.Name] = t.ID
		}
	}
	sums := map[string]time.Duration{}
	for _, t := range threads {
		if strings.HasPrefix(t.Name, "wrk:") && oldest[t.Name] == t.ID {
			sums[Workers] += t.CPU
		} else {
			sums[Others] += t.CPU
		}
	}
	return sums, nil
}
