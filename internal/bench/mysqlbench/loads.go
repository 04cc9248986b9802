package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"

	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/report"
)

// load is one kind of statement and what is measured of it.
type load struct {
	text                     string
	run                      func(context.Context, *peer.Peer, options) error
	rate, proxy, server, all *report.Measure
}

// The goals are those of PostgreSQL.
const (
	goalRate     = 0.7 // of plain Envoy's statements a second
	goalText     = 2.2 // of its CPU a statement
	goalPrepared = 1.8
)

func newLoad(name, text string, prepared bool) *load {
	goal := goalText
	if prepared {
		name, goal = name+", prepared", goalPrepared
	}
	cpu := func(of string, how report.Compare) *report.Measure {
		return &report.Measure{Name: name + ": CPU of " + of, Unit: "µs a statement", Base: peer.Plain, Compare: how, Goal: goal}
	}
	l := &load{text: text, rate: &report.Measure{Name: name, Unit: "statements/s", Base: peer.Plain, Compare: report.Ratio, Goal: goalRate, AtLeast: true},
		proxy: cpu("the proxy", report.Ratio), server: cpu("the server", report.Plainly), all: cpu("all but the client", report.None)}
	l.run = l.slap
	if prepared {
		l.run = l.execute
	}
	return l
}

func allLoads() []*load {
	const columns, masked = "SELECT name, city FROM bench.customers WHERE id = ", "SELECT name, email, ssn FROM bench.customers WHERE id = "
	const hundred = "SELECT id, name, email, ssn FROM bench.customers WHERE id BETWEEN 100 AND "
	return []*load{newLoad("point select", columns+"4711", false), newLoad("point select", columns+"?", true),
		newLoad("point select of masked columns", masked+"4711", false), newLoad("point select of masked columns", masked+"?", true),
		newLoad("100 rows, two columns masked", hundred+"199", false), newLoad("100 rows, two columns masked", hundred+"99 + ?", true),
		newLoad("update by key", "UPDATE bench.counters SET n = n + 1 WHERE id = 7", false)}
}

// slap runs the statement many times, as text.
func (l *load) slap(ctx context.Context, p *peer.Peer, o options) error {
	cmd := exec.CommandContext(ctx, "mariadb-slap", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", fmt.Sprintf("--port=%d", p.Port), "--user="+p.User, "--silent",
		"--create-schema=bench", "--no-drop", "--iterations=1", fmt.Sprintf("--concurrency=%d", o.by), fmt.Sprintf("--number-of-queries=%d", o.queries), "--query="+l.text)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+p.Password)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		return fmt.Errorf("mariadb-slap through %s: %v, it says: %s", p.Name, err, errs.String())
	}
	return nil
}

// execute runs the statement many times, prepared once on each connection, with 100 as its parameter.
func (l *load) execute(ctx context.Context, p *peer.Peer, o options) error {
	db, err := connect(p)
	if err != nil {
		return err
	}
	defer db.Close()
	done := make(chan error, o.by)
	var left atomic.Int64
	left.Store(int64(o.queries))
	for range o.by {
		go func() { done <- l.executeOn(ctx, db, &left) }()
	}
	for range o.by {
		err = errors.Join(err, <-done)
	}
	return err
}

func (l *load) executeOn(ctx context.Context, db *sql.DB, left *atomic.Int64) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	st, err := conn.PrepareContext(ctx, l.text)
	if err != nil {
		return err
	}
	defer st.Close()
	for left.Add(-1) >= 0 {
		rows, err := st.QueryContext(ctx, 100)
		if err != nil {
			return err
		}
		n := 0
		for rows.Next() {
			n++
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || n == 0 {
			return fmt.Errorf("%d rows: %w", n, err)
		}
	}
	return nil
}

// connect gives a pool of Go's driver.
func connect(p *peer.Peer) (*sql.DB, error) {
	return sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/bench?allowCleartextPasswords=true", p.User, p.Password, p.Addr()))
}
