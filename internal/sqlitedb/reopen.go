package sqlitedb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A disk that breaks takes the files with it that are open on it: after the repair, SQLite would go on with those, in vain,
// and they would keep the disk from being unmounted. So when an operation fails as on a broken disk, all connections to that
// file are given up, and later ones open it anew.

// file is a database that is open; several pools may have it (Another).
type file struct {
	mu    sync.Mutex
	pools []*sql.DB
	turn  int // grows when all connections are given up
}

func (f *file) now() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.turn
}

// giveUp ends all connections of this turn: idle ones at once, others when they are not used any more.
func (f *file) giveUp(turn int) {
	f.mu.Lock()
	if f.turn != turn {
		f.mu.Unlock()
		return
	}
	f.turn++
	pools := slices.Clone(f.pools)
	f.mu.Unlock()
	go func() { // a pool's own lock may be held by who calls
		for _, db := range pools {
			db.SetMaxIdleConns(-1)
			db.SetMaxIdleConns(idleConns)
		}
	}()
}

// gone reports whether an error may come from files that are not good any more.
func gone(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// connector opens connections to one file.
type connector struct {
	inner driver.Driver
	name  string
	file  *file
}

// Driver implements driver.Connector. It is the connector itself, so that Another finds the file.
func (c *connector) Driver() driver.Driver { return c }

// Open implements driver.Driver.
func (c *connector) Open(string) (driver.Conn, error) { return c.Connect(context.Background()) }

// idleConns is how many idle connections a pool keeps, as database/sql's default is.
const idleConns = 2

// pool makes one more pool of the file.
func (c *connector) pool() *sql.DB {
	db := sql.OpenDB(c)
	db.SetMaxIdleConns(idleConns)
	c.file.mu.Lock()
	defer c.file.mu.Unlock()
	c.file.pools = append(c.file.pools, db)
	return db
}

// Another opens one more pool of connections to a database of Open or OpenRelaxed: when the disk under it breaks, both open
// it anew.
func Another(db *sql.DB) (*sql.DB, error) {
	c, ok := db.Driver().(*connector)
	if !ok {
		return nil, errors.New("sqlitedb: not a database of this package")
	}
	return ready(c.pool(), c.name)
}

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	turn := c.file.now()
	in, err := c.inner.Open(c.name)
	if err != nil {
		if gone(err) {
			c.file.giveUp(turn)
		}
		return nil, err
	}
	full, ok := in.(fullConn)
	if !ok {
		return nil, errors.Join(errors.New("sqlitedb: the driver lacks something"), in.Close())
	}
	return &conn{fullConn: full, file: c.file, turn: turn}, nil
}

// fullConn is what the driver's connections are.
type fullConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn looks at the errors of one connection.
type conn struct {
	fullConn
	file *file
	turn int
}

func (c *conn) see(err error) error {
	if gone(err) {
		c.file.giveUp(c.turn)
	}
	return err
}

// IsValid implements driver.Validator.
func (c *conn) IsValid() bool { return c.turn == c.file.now() && c.fullConn.IsValid() }

// ResetSession implements driver.SessionResetter.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.turn != c.file.now() {
		return driver.ErrBadConn
	}
	return c.fullConn.ResetSession(ctx)
}

// Ping implements driver.Pinger.
func (c *conn) Ping(ctx context.Context) error { return c.see(c.fullConn.Ping(ctx)) }

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	in, err := c.fullConn.BeginTx(ctx, o)
	if c.see(err) != nil {
		return nil, err
	}
	return &tx{in, c}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.fullConn.ExecContext(ctx, q, args)
	return r, c.see(err)
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	in, err := c.fullConn.QueryContext(ctx, q, args)
	if c.see(err) != nil {
		return nil, err
	}
	return &rows{in, c}, nil
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *conn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	in, err := c.fullConn.PrepareContext(ctx, q)
	if c.see(err) != nil {
		return nil, err
	}
	full, ok := in.(fullStmt)
	if !ok {
		return nil, errors.Join(errors.New("sqlitedb: the driver lacks something"), in.Close())
	}
	return &stmt{full, c}, nil
}

type tx struct {
	driver.Tx
	c *conn
}

func (t *tx) Commit() error   { return t.c.see(t.Tx.Commit()) }
func (t *tx) Rollback() error { return t.c.see(t.Tx.Rollback()) }

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	fullStmt
	c *conn
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	r, err := s.fullStmt.ExecContext(ctx, args)
	return r, s.c.see(err)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	in, err := s.fullStmt.QueryContext(ctx, args)
	if s.c.see(err) != nil {
		return nil, err
	}
	return &rows{in, s.c}, nil
}

type rows struct {
	driver.Rows
	c *conn
}

func (r *rows) Next(dest []driver.Value) error { return r.c.see(r.Rows.Next(dest)) }
