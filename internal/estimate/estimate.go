// Package estimate asks a target's planner what it expects of a held statement: EXPLAIN, which does not run it. It owns which
// statements are asked about, and how: over a connection of its own with the target's credentials, in a transaction that
// may not write, with short time limits, and of one statement only. When and whether to ask is the caller's.
//
// What planning does is not nothing: functions that are declared immutable or stable may be called by it, so whoever could
// define such functions on the target could have them called before anybody decides. Statements that call functions which
// the gateway cannot see into are not asked about; what is left (functions within the target's own views, indexes, operators) can
// read, for a short time, with the target's credentials.
package estimate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	driverMySQL "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/action"
)

// Request is what is asked about, and where.
type Request struct {
	Action    action.Action
	Addresses []string // the first that answers is asked
	TLS       *tls.Config
	Binding   string // of SCRAM to the TLS connection, PostgreSQL's: "require", "prefer" or "disable"; "" is "prefer"
	User      string
	Password  string
	Database  string // the session's
	// SQLMode is the session's, of MySQL: what a text means depends on it. nil: the server's own.
	SQLMode *string
}

// ErrUnfit says why a statement is not asked about.
var ErrUnfit = errors.New("no estimate is asked for")

// Bounds of one question.
const (
	maxText     = 64 << 10
	maxParams   = 1000
	maxAnswer   = 4 << 20 // bytes that a target may send in all
	maxScans    = 12
	dialTime    = time.Second
	planTime    = 2 * time.Second
	lockTime    = 300 * time.Millisecond
	application = "dragoman estimate"
)

// verbs are those of statements that EXPLAIN plans.
var verbs = []string{"select", "insert", "update", "delete", "merge", "replace"}

// features of statements that are not asked about: nothing is known of them, they do something beside reading and writing rows, or
// what they mean depends on what the session has done.
var unfit = []string{action.FeatureUnparsed, action.FeatureMulti, action.FeatureDynamic, action.FeatureOpaque, action.FeatureUnresolved, action.FeatureCopy,
	action.FeatureProgram, action.FeatureServerFile, action.FeatureRole, action.FeatureSetting, action.FeatureReplication, action.FeatureTransaction,
	action.FeatureDDL, action.FeatureLocking, action.FeatureFunctionCall}

// waiting are functions that a planner could call, and that are there to wait or to be slow, or hold what others wait for.
var waiting = []string{"sleep", "benchmark", "get_lock", "release_lock", "release_all_locks", "master_pos_wait", "source_pos_wait", "wait_for_executed_gtid_set",
	"wait_until_sql_thread_after_gtids", "pg_sleep", "pg_sleep_for", "pg_sleep_until", "master_gtid_wait"}

// fits refuses what planning could do harm with, or what would be planned as something else than it is.
func fits(a *action.Action) error {
	switch {
	case a.Kind != action.KindSQL || len(a.Verbs) == 0:
		return fmt.Errorf("%w: it is no statement", ErrUnfit)
	case len(a.Text) > maxText || len(a.Params) > maxParams:
		return fmt.Errorf("%w: it is too long", ErrUnfit)
	}
	for _, v := range a.Verbs {
		if !slices.Contains(verbs, v) {
			return fmt.Errorf("%w: of %s", ErrUnfit, v)
		}
	}
	for _, f := range unfit {
		if a.Has(f) {
			return fmt.Errorf("%w: of %s statements", ErrUnfit, f)
		}
	}
	for _, f := range a.Functions {
		if slices.Contains(waiting, strings.ToLower(f.Name)) {
			return fmt.Errorf("%w: it calls %s, which takes its time", ErrUnfit, f.Name)
		}
		if f.Opaque {
			return fmt.Errorf("%w: it calls %s, which could do anything", ErrUnfit, f.Name)
		}
	}
	for _, o := range slices.Concat(a.Reads, a.Writes) {
		if !o.Resolved {
			return fmt.Errorf("%w: it is not known what %s is", ErrUnfit, o.Name)
		}
	}
	for _, p := range a.Params {
		if p.Encoding != "" {
			return fmt.Errorf("%w: a parameter is no text", ErrUnfit)
		}
	}
	return nil
}

// schemas are those of the action's tables, sorted; the system's own are left out.
func schemas(a *action.Action) (out []string) {
	for _, o := range slices.Concat(a.Reads, a.Writes) {
		if o.Schema != "" && o.Schema != "pg_catalog" && o.Schema != "information_schema" && !slices.Contains(out, o.Schema) {
			out = append(out, o.Schema)
		}
	}
	slices.Sort(out)
	return out
}

// dial opens connections that take no more than maxAnswer.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &bounded{Conn: c, left: maxAnswer}, nil
}

type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.ErrShortBuffer
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// each asks the addresses in turn until one can be asked.
func each(r Request, f func(addr string) error) (err error) {
	err = fmt.Errorf("%w: there is no address", ErrUnfit)
	for _, addr := range r.Addresses {
		if err = f(addr); err == nil || !errors.Is(err, errUnreachable) {
			return err
		}
	}
	return err
}

// saidBy leaves out a server's own words, which cite values of the statement: they are not for a log.
func saidBy(err error) error {
	var pg *pgconn.PgError
	var my *driverMySQL.MySQLError
	switch {
	case errors.As(err, &pg):
		return fmt.Errorf("the target does not plan it: SQLSTATE %s", pg.Code)
	case errors.As(err, &my):
		return fmt.Errorf("the target does not plan it: error %d", my.Number)
	}
	return err
}

var errUnreachable = errors.New("cannot be reached")
