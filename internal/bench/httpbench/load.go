package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"dragoman.dev/dragoman/internal/bench/proc"
)

// load is a client and what it prints.
type load struct {
	name       string
	command    func(p *peer, d time.Duration) []string
	count, bad *regexp.Regexp // requests that were answered; a sign that some were not well
}

const path = "/api/customers/7"

var loads = []load{
	{"GET, HTTP/1.1, 16 connections", func(p *peer, d time.Duration) []string {
		return []string{"wrk", "-t1", "-c16", "-d" + d.String(), "-H", "Authorization: Bearer " + p.token, p.url + path}
	}, regexp.MustCompile(`(\d+) requests in`), regexp.MustCompile(`Non-2xx|Socket errors`)},
	{"GET, HTTP/2, 4 connections of 8 streams", func(p *peer, d time.Duration) []string {
		return []string{"h2load", "-t1", "-c4", "-m8", "-D" + strconv.Itoa(int(d.Seconds())), "-H", "authorization: Bearer " + p.token, p.url + path}
	}, regexp.MustCompile(`status codes: (\d+) 2xx`), regexp.MustCompile(`2xx, (?:[1-9]|\d+ 3xx, [1-9]|\d+ 3xx, \d+ 4xx, [1-9])`)},
}

// rate is what came of a load; times are µs of CPU a request.
type rate struct{ perSecond, proxy, control float64 }

func (r *rig) load(ctx context.Context, l load, p *peer, d time.Duration) (rate, error) {
	before, err := p.usage()
	if err != nil {
		return rate{}, err
	}
	args := l.command(p, d)
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return rate{}, fmt.Errorf("%s: %w\n%s", args[0], err, out)
	}
	after, err := p.usage()
	if err != nil {
		return rate{}, err
	}
	m := l.count.FindSubmatch(out)
	if m == nil || l.bad.Match(out) {
		return rate{}, fmt.Errorf("%s: not all was well:\n%s", args[0], bytes.TrimSpace(out))
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || n == 0 {
		return rate{}, errors.Join(err, fmt.Errorf("%s: nothing was answered:\n%s", args[0], out))
	}
	return rate{n / d.Seconds(), micros(after.proxy-before.proxy) / n, micros(after.control-before.control) / n}, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

type usage struct{ proxy, control time.Duration }

func (p *peer) usage() (u usage, err error) {
	if u.proxy, err = proc.CPU(p.proxy); err == nil && p.control != 0 {
		u.control, err = proc.CPU(p.control)
	}
	return u, err
}
