package main

import (
	"context"
	"database/sql"
	"errors"
	"os"

	_ "github.com/go-sql-driver/mysql"

	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/proc"
	"dragoman.dev/dragoman/internal/mysqlserver"
	"dragoman.dev/dragoman/internal/pgserver"
)

// rig is the server and what stands before it.
type rig struct {
	db     *mysqlserver.Server
	server int // its process
	peers  []*peer.Peer
}

const tables = `CREATE DATABASE bench; USE bench;
CREATE TABLE bench.customers (id INT PRIMARY KEY, name VARCHAR(50), email VARCHAR(80), ssn CHAR(11), city VARCHAR(20));
INSERT INTO bench.customers SELECT seq, CONCAT('Customer ', seq), CONCAT('customer', seq, '@example.com'), CONCAT(LPAD(seq % 900, 3, '0'), '-12-', LPAD(seq % 9999, 4, '0')), 'Lima' FROM seq_1_to_10000;
CREATE TABLE bench.counters (id INT PRIMARY KEY, n BIGINT);
INSERT INTO bench.counters SELECT seq, 0 FROM seq_1_to_100;
CREATE TABLE bench.many (id INT PRIMARY KEY, name VARCHAR(50), email VARCHAR(80), city VARCHAR(20), balance DECIMAL(10,2), created DATETIME, notes VARCHAR(80));
INSERT INTO bench.many SELECT seq, CONCAT('Customer ', seq), CONCAT('customer', seq, '@example.com'), 'Lima', seq / 7, '2026-01-01 12:00:00' + INTERVAL seq SECOND, REPEAT('note ', 8) FROM seq_1_to_100000`

const policy = `    - {name: work, verdict: allow, when: {groups: [analysts], verbs: [select, update], tables: ["bench.*"]}}
    - {name: no-ddl, verdict: block, when: {features: {ddl: true}}}
  masks:
    - {name: email, columns: ["bench.customers.email", "bench.many.email"], way: partial}
    - {name: ssn, columns: ["bench.customers.ssn"], way: redact}
`

// startRig starts the server, and what is named before it.
func startRig(ctx context.Context, o options, names ...string) (*rig, error) {
	r := &rig{}
	if err := r.start(ctx, o, names); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *rig) start(ctx context.Context, o options, names []string) (err error) {
	if r.db, err = mysqlserver.Start(ctx, mysqlserver.Options{Kind: mysqlserver.MariaDB, Args: []string{"--general-log=0"},
		SQL: "CREATE USER 'app'@'%' IDENTIFIED BY 'app-secret';\nGRANT ALL ON *.* TO 'app'@'%';\n"}); err != nil {
		return err
	}
	if r.server = proc.Child(os.Getpid(), "mariadbd"); r.server == 0 {
		return errors.New("the server's process is not found")
	}
	db, err := sql.Open("mysql", "root:root@unix("+r.db.Socket()+")/?multiStatements=true")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return err
	}
	at := peer.Place{Port: r.db.Port, User: "app", Password: "app-secret", Database: "bench"}
	r.peers = append(r.peers, &peer.Peer{Name: peer.Direct, Place: at})
	for _, name := range names {
		p, err := r.before(ctx, o, name, at)
		if err != nil {
			return err
		}
		r.peers = append(r.peers, p)
	}
	return nil
}

// before starts what is to stand before the server.
func (r *rig) before(ctx context.Context, o options, name string, at peer.Place) (*peer.Peer, error) {
	if name == peer.Dragoman {
		return peer.StartTarget(ctx, o.tools, o.bin, "mysql", at, policy)
	}
	// A plain Envoy knows nothing of who is behind it.
	p, err := peer.StartPlain(ctx, o.tools, &peer.Database{Server: &pgserver.Server{Port: r.db.Port}})
	if err == nil {
		p.User, p.Password = at.User, at.Password
	}
	return p, err
}

func (r *rig) stop() error {
	var err error
	for _, p := range r.peers {
		err = errors.Join(err, p.Stop())
	}
	if r.db != nil {
		err = errors.Join(err, r.db.Stop())
	}
	return err
}
