package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestPipelines: a refusal in the middle of what was sent ahead behaves as a server's error would.
func TestPipelines(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules)
	for name, f := range map[string]func(*testing.T, *rig, *pgx.Conn){
		"blocked in the middle": pipelineBlocked, "in a transaction": pipelineInTransaction, "many syncs": pipelineSyncs, "all or nothing": allOrNothing, "many": pipelineMany,
	} {
		t.Run(name, func(t *testing.T) { f(t, r, r.place.connect(t)) })
	}
}

func count(t *testing.T, r *rig, who string) int {
	t.Helper()
	c, err := pgx.Connect(context.Background(), r.db.URL("clients"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	var n int
	if err := c.QueryRow(context.Background(), "SELECT count(*) FROM work WHERE who = $1", who).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const insertWork = "INSERT INTO work (who, v, n) VALUES ($1, 'x', $2)"

// pipelineBlocked: an implicit transaction of which a part is refused is rolled back whole.
func pipelineBlocked(t *testing.T, r *rig, c *pgx.Conn) {
	for round, mode := range []string{"unnamed", "named"} {
		who := "pipeline-" + mode
		var b pgx.Batch
		b.Queue(insertWork, who, round)
		b.Queue("SELECT * FROM off_limits")
		b.Queue(insertWork, who, round+10)
		if mode == "unnamed" {
			p := c.PgConn().StartPipeline(context.Background())
			p.SendQueryParams(insertWork, [][]byte{[]byte(who), []byte("1")}, nil, nil, nil)
			p.SendQueryParams("SELECT * FROM off_limits", nil, nil, nil, nil)
			p.SendQueryParams(insertWork, [][]byte{[]byte(who), []byte("2")}, nil, nil, nil)
			if err := p.Sync(); err != nil {
				t.Fatal(err)
			}
			var refused error
			for {
				res, err := p.GetResults()
				if err != nil {
					refused = err
					continue
				}
				if rr, ok := res.(*pgconn.ResultReader); ok {
					if _, err := rr.Close(); err != nil {
						refused = err
					}
					continue
				}
				break
			}
			wantBlocked(t, refused, "no-off-limits")
			if err := p.Close(); err != nil {
				t.Logf("closing the pipeline: %v", err)
			}
		} else {
			wantBlocked(t, c.SendBatch(context.Background(), &b).Close(), "no-off-limits")
		}
		if s := c.PgConn().TxStatus(); s != 'I' {
			t.Errorf("%s: state %c", mode, s)
		}
		if n := count(t, r, who); n != 0 {
			t.Errorf("%s: %d rows are there although the pipeline failed", mode, n)
		}
		alive(t, c)
	}
}

// pipelineInTransaction: a refusal costs no work of an explicit transaction.
func pipelineInTransaction(t *testing.T, r *rig, c *pgx.Conn) {
	ctx := context.Background()
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, insertWork, "in-tx", 1); err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(ctx, "SELECT * FROM off_limits")
	wantBlocked(t, err, "no-off-limits")
	if s := c.PgConn().TxStatus(); s != 'T' {
		t.Errorf("state %c", s)
	}
	if _, err := tx.Exec(ctx, insertWork, "in-tx", 2); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil || count(t, r, "in-tx") != 2 {
		t.Errorf("%v, %d rows", err, count(t, r, "in-tx"))
	}
}

// pipelineSyncs: with a Sync after each statement every one stands for itself.
func pipelineSyncs(t *testing.T, r *rig, _ *pgx.Conn) {
	s := r.session(t)
	for i := range 60 {
		sql := fmt.Sprintf("INSERT INTO work (who, v, n) VALUES ('syncs', 'x', %d)", i)
		if i%3 == 1 {
			sql = "SELECT * FROM off_limits"
		}
		s.front.Send(&pgproto3.Parse{Query: sql})
		s.front.Send(&pgproto3.Bind{})
		s.front.Send(&pgproto3.Execute{})
		s.front.Send(&pgproto3.Sync{})
	}
	s.front.Flush()
	for i := range 60 {
		e, state := s.untilReady(t)
		if (e != nil) != (i%3 == 1) || e != nil && e.Code != "42501" || state != 'I' {
			t.Fatalf("answer %d: %+v, state %c", i, e, state)
		}
	}
	if n := count(t, r, "syncs"); n != 40 {
		t.Errorf("%d rows", n)
	}
}

// allOrNothing: of a message with several statements none runs when one is refused.
func allOrNothing(t *testing.T, r *rig, c *pgx.Conn) {
	ctx := context.Background()
	insert := "INSERT INTO work (who, v, n) VALUES ('all', 'x', 1);"
	for _, text := range []string{insert + "SELECT * FROM off_limits", "BEGIN;" + insert + "COMMIT; TRUNCATE work", insert + "COMMIT; SELECT * FROM off_limits", "SELECT 1; SELECT * FROM off_limits;" + insert} {
		_, err := c.PgConn().Exec(ctx, text).ReadAll()
		wantBlocked(t, err, "no-")
		if s := c.PgConn().TxStatus(); s != 'I' {
			t.Errorf("%s: state %c", text, s)
		}
	}
	if n := count(t, r, "all"); n != 0 {
		t.Errorf("%d rows", n)
	}
	if _, err := c.PgConn().Exec(ctx, insert+"SELECT 1; SELECT 2").ReadAll(); err != nil || count(t, r, "all") != 1 {
		t.Errorf("what is allowed does not run: %v", err)
	}
}

// pipelineMany sends thousands of statements, each with a name of its own, before it reads.
func pipelineMany(t *testing.T, r *rig, _ *pgx.Conn) {
	s := r.session(t)
	const n = 5000
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			s.front.Send(&pgproto3.Parse{Name: fmt.Sprint("s", i), Query: fmt.Sprintf("SELECT %d + $1::int", i)})
			s.front.Send(&pgproto3.Bind{PreparedStatement: fmt.Sprint("s", i), Parameters: [][]byte{[]byte("1")}})
			s.front.Send(&pgproto3.Execute{})
			if i%1000 == 999 {
				s.front.Send(&pgproto3.Sync{})
			}
			if i%100 == 0 {
				if err := s.front.Flush(); err != nil {
					sent <- err
					return
				}
			}
		}
		sent <- s.front.Flush()
	}()
	rows, ready := 0, 0
	for ready < n/1000 {
		m, err := s.front.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			if got := string(m.Values[0]); got != fmt.Sprint(rows+1) {
				t.Fatalf("row %d is %s", rows, got)
			}
			rows++
		case *pgproto3.ErrorResponse:
			t.Fatalf("%+v", m)
		case *pgproto3.ReadyForQuery:
			ready++
		}
	}
	if err := <-sent; err != nil || rows != n {
		t.Errorf("%d rows, %v", rows, err)
	}
}
