package estimate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// Postgres asks a PostgreSQL server. Parameters are given as such, never written into the text.
func Postgres(ctx context.Context, r Request, now time.Time) (out *hold.Estimate, err error) {
	if err := fits(&r.Action); err != nil {
		return nil, err
	}
	explain, verb, err := pgsql.Explain(r.Action.Text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	err = each(r, func(addr string) error {
		conn, err := postgresConn(ctx, r, addr)
		if err != nil {
			return err
		}
		defer func() { // without waiting for anything: its transaction ends with it
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = conn.Close(end)
		}()
		out, err = askPostgres(ctx, conn, &r.Action, explain, verb)
		return saidBy(err)
	})
	if err != nil {
		return nil, err
	}
	out.At = now.UTC()
	return out, nil
}

// postgresConn takes nothing from the process's environment.
func postgresConn(ctx context.Context, r Request, addr string) (*pgconn.PgConn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	c, err := pgconn.ParseConfig("host=127.0.0.1 sslmode=disable")
	if err != nil {
		return nil, err
	}
	c.Host, c.Port, c.User, c.Password, c.Database, c.TLSConfig, c.Fallbacks, c.ValidateConnect = host, uint16(n), r.User, r.Password, r.Database, r.TLS, nil, nil
	c.RequireAuth, c.ChannelBinding = "", cmp.Or(r.Binding, "prefer")
	c.RuntimeParams = map[string]string{"application_name": application, "client_encoding": "UTF8"}
	c.DialFunc, c.LookupFunc, c.ConnectTimeout = dial, func(_ context.Context, h string) ([]string, error) { return []string{h}, nil }, planTime
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("the target %w: %w", errUnreachable, err)
	}
	return conn, nil
}

// askPostgres plans in a transaction that may not write, and that is not committed.
func askPostgres(ctx context.Context, conn *pgconn.PgConn, a *action.Action, explain, verb string) (*hold.Estimate, error) {
	begin := fmt.Sprintf("BEGIN READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = %d; SET LOCAL standard_conforming_strings = on; SET LOCAL jit = off",
		planTime.Milliseconds(), lockTime.Milliseconds())
	if path := schemas(a); len(path) > 0 { // names without a schema are looked up where the session found them
		for i, s := range path {
			path[i] = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		begin += "; SET LOCAL search_path = " + strings.Join(path, ", ")
	}
	if _, err := conn.Exec(ctx, begin).ReadAll(); err != nil {
		return nil, err
	}
	values := make([][]byte, len(a.Params))
	for i, p := range a.Params {
		if !p.Null {
			values[i] = []byte(p.Value)
		}
	}
	res := conn.ExecParams(ctx, explain, values, nil, nil, nil).Read()
	if res.Err != nil {
		return nil, res.Err
	}
	if len(res.Rows) != 1 || len(res.Rows[0]) != 1 {
		return nil, fmt.Errorf("the plan has %d rows", len(res.Rows))
	}
	var plans []struct {
		Plan node `json:"Plan"`
	}
	if err := json.Unmarshal(res.Rows[0][0], &plans); err != nil || len(plans) != 1 {
		return nil, fmt.Errorf("the plan cannot be read: %w", err)
	}
	w := walk{out: &hold.Estimate{Verb: verb, Rows: count(plans[0].Plan.Rows), Cost: plans[0].Plan.Cost, Scans: []hold.Scan{}}}
	w.node(&plans[0].Plan, "")
	if err := w.check(ctx, conn, a); err != nil {
		return nil, err
	}
	return w.out, nil
}

// node is one of a plan.
type node struct {
	Type      string  `json:"Node Type"`
	Role      string  `json:"Parent Relationship"`
	Operation string  `json:"Operation"`
	Schema    string  `json:"Schema"`
	Relation  string  `json:"Relation Name"`
	Index     string  `json:"Index Name"`
	Rows      float64 `json:"Plan Rows"`
	Cost      float64 `json:"Total Cost"`
	Plans     []node  `json:"Plans"`
}

func count(f float64) int64 {
	if f < 0 || f > 1e15 || f != f {
		return -1
	}
	return int64(f + 0.5)
}

// relation is a table of a plan.
type relation struct{ schema, name string }

func (r relation) String() string { return r.schema + "." + r.name }

// walk gathers what a plan says.
type walk struct {
	out       *hold.Estimate
	relations []relation
	scans     []relation // of out.Scans
	changes   bool
}

// node takes one and what is below it. The server nests them no deeper than it can itself.
func (w *walk) node(n *node, parent string) {
	if n.Type == "ModifyTable" && !w.changes {
		w.changes, w.out.Verb, w.out.Rows = true, strings.ToLower(n.Operation), 0
		for i := range n.Plans {
			if n.Plans[i].Role == "Outer" || n.Plans[i].Role == "Member" {
				w.out.Rows += count(n.Plans[i].Rows)
			}
		}
	}
	if n.Relation != "" {
		rel := relation{n.Schema, n.Relation}
		if !slices.Contains(w.relations, rel) {
			w.relations = append(w.relations, rel)
		}
		if n.Type != "ModifyTable" && len(w.scans) < maxScans {
			s := hold.Scan{Table: rel.String(), How: how(n), Rows: count(n.Rows), Of: -1}
			if parent == "Nested Loop" && n.Role == "Inner" {
				s.How += ", once for each row of the other side"
			}
			w.scans, w.out.Scans = append(w.scans, rel), append(w.out.Scans, s)
		}
	}
	for i := range n.Plans {
		w.node(&n.Plans[i], n.Type)
	}
}

func how(n *node) string {
	switch n.Type {
	case "Seq Scan":
		return "as a whole"
	case "Index Scan", "Index Only Scan":
		return "by index " + n.Index
	case "Bitmap Heap Scan":
		return "by index " + strings.Join(indexes(n), " and ")
	case "Foreign Scan":
		return "on another server"
	}
	return "by " + strings.ToLower(n.Type)
}

func indexes(n *node) (out []string) {
	for i := range n.Plans {
		if x := n.Plans[i].Index; x != "" && !slices.Contains(out, x) {
			out = append(out, x)
		}
		out = append(out, indexes(&n.Plans[i])...)
	}
	return out
}

// sizes gives of each table how many rows it has by its statistics, and of what it is a part: partitions and tables that inherit.
const sizes = `WITH RECURSIVE up(root, oid) AS (
  SELECT c.oid, c.oid FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) x(s, t) JOIN pg_catalog.pg_namespace n ON n.nspname = x.s JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = x.t
  UNION SELECT up.root, i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid)
SELECT rn.nspname, r.relname, r.reltuples::bigint, n.nspname, c.relname FROM up JOIN pg_catalog.pg_class r ON r.oid = up.root JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_catalog.pg_class c ON c.oid = up.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`

// check refuses a plan of tables that the action does not name: outside of its session, its names mean something else. It
// also notes the tables' sizes.
func (w *walk) check(ctx context.Context, conn *pgconn.PgConn, a *action.Action) error {
	if len(w.relations) == 0 {
		return nil
	}
	var schema, name []string
	for _, r := range w.relations {
		schema, name = append(schema, r.schema), append(name, r.name)
	}
	res := conn.ExecParams(ctx, sizes, [][]byte{array(schema), array(name)}, nil, nil, nil).Read()
	if res.Err != nil {
		return res.Err
	}
	known := map[relation]bool{}
	for _, row := range res.Rows {
		rel := relation{string(row[0]), string(row[1])}
		for _, o := range slices.Concat(a.Reads, a.Writes) {
			if o.Schema == string(row[3]) && o.Name == string(row[4]) {
				known[rel] = true
			}
		}
		n, err := strconv.ParseInt(string(row[2]), 10, 64)
		for i := range w.scans {
			if err == nil && w.scans[i] == rel {
				w.out.Scans[i].Of = max(n, -1)
			}
		}
	}
	for _, r := range w.relations {
		if !known[r] && r.schema != "pg_catalog" {
			return fmt.Errorf("%w: its plan has %s, which is none of its own tables", ErrUnfit, r)
		}
	}
	return nil
}

// array writes a text[].
func array(list []string) []byte {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return []byte("{" + strings.Join(quoted, ",") + "}")
}
