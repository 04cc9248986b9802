package estimate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"strconv"
	"strings"
	"time"

	driverMySQL "github.com/go-sql-driver/mysql"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/sql/mysql"
)

// MySQL asks a MySQL or MariaDB server.
func MySQL(ctx context.Context, r Request, now time.Time) (out *hold.Estimate, err error) {
	if err := fits(&r.Action); err != nil {
		return nil, err
	}
	database := r.Database
	switch list := schemas(&r.Action); {
	case len(list) == 1: // names without a database are of this one
		database = list[0]
	case len(list) > 1 && !slices.Contains(list, database):
		return nil, fmt.Errorf("%w: it is not known which database its names are of", ErrUnfit)
	}
	err = each(r, func(addr string) error {
		out, err = askAt(ctx, r, addr, database)
		return saidBy(err)
	})
	if err != nil {
		return nil, err
	}
	out.At = now.UTC()
	return out, nil
}

// askAt asks one server. What does not answer in time is ended there, too: a server goes on for a client that has gone.
func askAt(ctx context.Context, r Request, addr, database string) (*hold.Estimate, error) {
	db, err := mysqlPool(r, addr, database)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*planTime)
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("the target %w: %w", errUnreachable, err)
	}
	defer conn.Close()
	var id int64
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		return nil, err
	}
	out, err := askMySQL(ctx, conn, &r)
	var said *driverMySQL.MySQLError
	if err != nil && !errors.As(err, &said) && !errors.Is(err, ErrUnfit) {
		err = errors.Join(err, endAt(context.WithoutCancel(ctx), r, addr, id, mysql.ExplainPrefix))
	}
	return out, err
}

// endAt ends a connection of ours, if it still does what begins so: behind one address there may be several servers, each with its own numbers.
func endAt(ctx context.Context, r Request, addr string, id int64, begins string) error {
	ctx, cancel := context.WithTimeout(ctx, planTime)
	defer cancel()
	db, err := mysqlPool(r, addr, "")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var still int
	err = conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.processlist WHERE id = ? AND LEFT(info, ?) = ?", id, len(begins), begins).Scan(&still)
	if err != nil || still == 0 {
		return err
	}
	_, err = conn.ExecContext(ctx, fmt.Sprintf("KILL %d", id))
	return err
}

func mysqlPool(r Request, addr, database string) (*sql.DB, error) {
	c := driverMySQL.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName, c.TLS, c.DialFunc = r.User, r.Password, "tcp", addr, database, r.TLS, dial
	c.Timeout, c.ReadTimeout, c.WriteTimeout, c.Logger = dialTime, 2*planTime, planTime, log.New(io.Discard, "", 0)
	c.ConnectionAttributes = "program_name:" + application
	connector, err := driverMySQL.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// askMySQL plans queries in a transaction that may not write. In such a one the server does not plan statements that write, so that for these
// it is one that is rolled back.
func askMySQL(ctx context.Context, conn *sql.Conn, r *Request) (*hold.Estimate, error) {
	a := &r.Action
	if r.SQLMode != nil {
		if !isMode(*r.SQLMode) {
			return nil, fmt.Errorf("%w: the session's sql_mode is not one", ErrUnfit)
		}
		if _, err := conn.ExecContext(ctx, "SET SESSION sql_mode = '"+*r.SQLMode+"'"); err != nil {
			return nil, err
		}
	}
	var version, mode string
	if err := conn.QueryRowContext(ctx, "SELECT @@version, @@sql_mode").Scan(&version, &mode); err != nil {
		return nil, err
	}
	m := mysql.Mode{SQLMode: mode, MariaDB: strings.Contains(version, "MariaDB"), Version: number(version)}
	explain, verb, err := mysql.Explain(a.Text, m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	limits := fmt.Sprintf("SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1, max_execution_time = %d", planTime.Milliseconds())
	if m.MariaDB {
		limits = fmt.Sprintf("SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1, max_statement_time = %g", planTime.Seconds())
	}
	begin := "START TRANSACTION READ ONLY"
	if verb != "select" {
		begin = "START TRANSACTION"
		if err := onlyTables(ctx, conn, a); err != nil {
			return nil, err
		}
	}
	for _, do := range []string{limits, begin} {
		if _, err := conn.ExecContext(ctx, do); err != nil {
			return nil, err
		}
	}
	defer conn.ExecContext(ctx, "ROLLBACK")
	args := make([]any, len(a.Params))
	for i, p := range a.Params {
		if !p.Null {
			args[i] = p.Value
		}
	}
	plan, err := table(ctx, conn, explain, args...)
	if err != nil {
		return nil, err
	}
	out := read(plan, verb)
	return out, tableSizes(ctx, conn, a, out)
}

// isMode says that a text is names of modes, and nothing else: it goes into a statement of ours.
func isMode(mode string) bool {
	return len(mode) <= 1024 && strings.Trim(mode, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_,") == ""
}

// onlyTables refuses statements that read or write through views: a view may call functions of the target's users, which write, and a server may
// call them while it plans. In a transaction that is rolled back that would be without effect in most tables, and not in all.
func onlyTables(ctx context.Context, conn *sql.Conn, a *action.Action) error {
	for _, o := range slices.Concat(a.Reads, a.Writes) {
		var kind string
		err := conn.QueryRowContext(ctx, "SELECT table_type FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", o.Schema, o.Name).Scan(&kind)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if kind != "BASE TABLE" {
			return fmt.Errorf("%w: %s is no table, and it writes", ErrUnfit, o.Name)
		}
	}
	return nil
}

// number is 101119 of 10.11.19-MariaDB.
func number(version string) (n int) {
	version, _, _ = strings.Cut(version, "-")
	for i, part := range strings.SplitN(version, ".", 3) {
		v, err := strconv.Atoi(part)
		if err != nil || i > 2 {
			return 0
		}
		n = n*100 + v
	}
	return n
}

// maxPlan bounds the rows of a plan.
const maxPlan = 200

// table is a result by the names of its columns, in lower case; NULL is left out.
func table(ctx context.Context, conn *sql.Conn, query string, args ...any) (out []map[string]string, err error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() && len(out) < maxPlan {
		cells, to := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		row := map[string]string{}
		for i, c := range cells {
			if c.Valid {
				row[strings.ToLower(names[i])] = c.String
			}
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil && !errors.Is(err, driver.ErrBadConn) {
		return nil, err
	}
	return out, nil
}

// read makes an estimate of a plan in rows.
func read(plan []map[string]string, verb string) *hold.Estimate {
	out := &hold.Estimate{Verb: verb, Rows: -1, Scans: []hold.Scan{}}
	total, of := 1.0, ""
	for _, row := range plan {
		kind := row["select_type"]
		if verb == "with" && (kind == "UPDATE" || kind == "DELETE") {
			out.Verb = strings.ToLower(kind)
		}
		if strings.HasPrefix(row["extra"], "Impossible WHERE") && out.Rows < 0 {
			out.Rows = 0
		}
		if strings.HasPrefix(row["extra"], "Deleting all rows") { // MariaDB names no table then
			if n, err := strconv.ParseInt(row["rows"], 10, 64); err == nil {
				out.Rows = n
			}
		}
		name := row["table"]
		if name == "" || strings.HasPrefix(name, "<") || row["type"] == "" || row["rows"] == "" {
			continue
		}
		n, err := strconv.ParseFloat(row["rows"], 64)
		if err != nil {
			continue
		}
		if f, err := strconv.ParseFloat(row["filtered"], 64); err == nil {
			n *= f / 100
		}
		if kind != "INSERT" && kind != "REPLACE" && (of == "" || of == row["id"]) {
			of, total = row["id"], total*n
			out.Rows = count(total)
		}
		if len(out.Scans) < maxScans {
			out.Scans = append(out.Scans, hold.Scan{Table: name, How: access(row), Rows: count(n), Of: -1})
		}
	}
	if out.Verb == "with" {
		out.Verb = "select"
	}
	return out
}

// access says how a table is read: the type of a row in words.
func access(row map[string]string) string {
	switch row["type"] {
	case "ALL":
		return "as a whole"
	case "index":
		return "by all of index " + row["key"]
	case "range", "index_merge":
		return "by a range of index " + row["key"]
	case "system":
		return "as its one row"
	}
	return "by index " + row["key"]
}

// tableSizes notes how many rows tables have by their statistics, where the plan calls them as the action does.
func tableSizes(ctx context.Context, conn *sql.Conn, a *action.Action, out *hold.Estimate) error {
	named := map[string]action.Object{}
	for _, o := range slices.Concat(a.Reads, a.Writes) {
		if before, twice := named[o.Name]; twice && before.Schema != o.Schema {
			o.Schema = ""
		}
		named[o.Name] = o
	}
	for i := range out.Scans {
		s := &out.Scans[i]
		o, ok := named[s.Table]
		if !ok || o.Schema == "" {
			continue
		}
		var n sql.NullInt64
		err := conn.QueryRowContext(ctx, "SELECT table_rows FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", o.Schema, o.Name).Scan(&n)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if s.Table = o.Schema + "." + o.Name; n.Valid {
			s.Of = n.Int64
		}
	}
	return nil
}
