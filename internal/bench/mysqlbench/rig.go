package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"

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
INSERT INTO bench.counters SELECT seq, 0 FROM seq_1_to_100`

const policy = `    - {name: work, verdict: allow, when: {groups: [analysts], verbs: [select, update], tables: ["bench.*"]}}
    - {name: no-ddl, verdict: block, when: {features: {ddl: true}}}
  masks:
    - {name: email, columns: ["bench.customers.email"], way: partial}
    - {name: ssn, columns: ["bench.customers.ssn"], way: redact}
`

func startRig(ctx context.Context, o options) (*rig, error) {
	r := &rig{}
	if err := r.start(ctx, o); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *rig) start(ctx context.Context, o options) (err error) {
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
	// A plain Envoy knows nothing of who is behind it.
	plain, err := peer.StartPlain(ctx, o.tools, &peer.Database{Server: &pgserver.Server{Port: r.db.Port}})
	if err != nil {
		return err
	}
	plain.User, plain.Password = at.User, at.Password
	r.peers = append(r.peers, plain)
	ours, err := peer.StartTarget(ctx, o.tools, o.bin, "mysql", at, policy)
	if err != nil {
		return err
	}
	r.peers = append(r.peers, ours)
	return nil
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

// slap runs a statement many times.
func slap(ctx context.Context, p *peer.Peer, text string, o options) error {
	cmd := exec.CommandContext(ctx, "mariadb-slap", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", fmt.Sprintf("--port=%d", p.Port), "--user="+p.User, "--silent",
		"--create-schema=bench", "--no-drop", "--iterations=1", fmt.Sprintf("--concurrency=%d", o.by), fmt.Sprintf("--number-of-queries=%d", o.queries), "--query="+text)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+p.Password)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		return fmt.Errorf("mariadb-slap through %s: %v, it says: %s", p.Name, err, errs.String())
	}
	return nil
}
