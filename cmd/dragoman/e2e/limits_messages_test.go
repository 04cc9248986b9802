package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"dragoman.dev/dragoman/internal/pgserver"
)

const smallLimits = "limits: {max_statement: 64KiB, max_message: 1MiB, max_prepared: 100}"

// TestLimits: what is over a limit is refused, and the connection or at least every other one goes on.
func TestLimits(t *testing.T) {
	r := clientsRig(t, pgserver.Newest, clientsRules, smallLimits)
	ctx := context.Background()
	c := r.place.connect(t)
	t.Run("statement", func(t *testing.T) {
		long := "SELECT length('" + strings.Repeat("x", 70000) + "')"
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec} {
			_, err := c.Exec(ctx, long, mode)
			wantCode(t, err, "54000")
			alive(t, c)
		}
		if n := r.running("xxxx"); n != 0 {
			t.Error("the target has seen it")
		}
	})
	t.Run("prepared", func(t *testing.T) {
		own := r.place.connect(t)
		var last error
		made := 0
		for i := range 150 {
			if _, last = own.Prepare(ctx, fmt.Sprintf("p%d", i), fmt.Sprintf("SELECT %d", i)); last != nil {
				break
			}
			made++
		}
		wantCode(t, last, "53400")
		if made < 90 || made > 100 {
			t.Errorf("%d statements were prepared", made)
		}
		for _, text := range []string{"SELECT 1", "DEALLOCATE ALL"} {
			if _, err := own.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		own.Close(ctx)
	})
	for name, message := range map[string][]byte{
		"unknown type":           {'~', 0, 0, 0, 4},
		"over-long frame":        append([]byte{'Q'}, binary.BigEndian.AppendUint32(nil, 2<<20)...),
		"negative length":        {'Q', 0xff, 0xff, 0xff, 0xff},
		"length under four":      {'Q', 0, 0, 0, 3},
		"query without an end":   {'Q', 0, 0, 0, 8, 'a', 'b', 'c', 'd'},
		"bind that is too short": {'B', 0, 0, 0, 5, 0},
		"password after login":   {'p', 0, 0, 0, 6, 'x', 0},
		"a server's message":     {'Z', 0, 0, 0, 5, 'I'},
	} {
		t.Run(name, func(t *testing.T) {
			s := r.session(t)
			s.raw(t, message)
			e := s.lastError(t)
			if e == nil || e.Severity != "FATAL" || e.Code != "08P01" && e.Code != "54000" {
				t.Errorf("got %+v", e)
			}
			alive(t, c)
		})
	}
	t.Run("function call", func(t *testing.T) {
		s := r.session(t)
		s.front.Send(&pgproto3.FunctionCall{Function: 1598, ResultFormatCode: 1}) // random()
		s.front.Flush()
		e, state := s.untilReady(t)
		if e == nil || e.Code != "42501" || !strings.Contains(e.Detail, "function_call") || state != 'I' {
			t.Errorf("got %+v, state %c", e, state)
		}
		s.query(t, "SELECT 1")
	})
	t.Run("replication", func(t *testing.T) {
		for _, word := range []string{"true", "database", "on", "1", "YES"} {
			p := r.place
			p.Extra = "replication=" + word
			_, err := pgx.Connect(ctx, p.dsn()+" password="+p.Password)
			var pe *pgconn.PgError
			if !errors.As(err, &pe) || pe.Severity != "FATAL" || !strings.Contains(pe.Message, "replication") {
				t.Errorf("replication=%s: %v", word, err)
			}
		}
		if _, err := c.Exec(ctx, "IDENTIFY_SYSTEM", pgx.QueryExecModeSimpleProtocol); err == nil {
			t.Error("a replication command runs")
		}
		alive(t, c)
	})
	t.Run("startup", func(t *testing.T) { startups(t, r) })
}

// startups are first packets that nobody should send.
func startups(t *testing.T, r *rig) {
	for name, packet := range map[string][]byte{
		"too long":        {0, 0, 0x4e, 0x20, 0, 3, 0, 0},
		"too short":       {0, 0, 0, 7, 0, 3, 0, 0},
		"protocol 2":      {0, 0, 0, 9, 0, 2, 0, 0, 0},
		"protocol 4":      {0, 0, 0, 9, 0, 4, 0, 0, 0},
		"no user":         {0, 0, 0, 9, 0, 3, 0, 0, 0},
		"no end":          {0, 0, 0, 12, 0, 3, 0, 0, 'u', 's', 'e', 'r'},
		"something else":  []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"a name and none": {0, 0, 0, 14, 0, 3, 0, 0, 'u', 's', 'e', 'r', 0, 0},
	} {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.place.Port))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(60 * time.Second))
		c.Write(packet)
		began, answer := time.Now(), make([]byte, 1)
		if n, err := c.Read(answer); n == 1 && answer[0] != 'E' || err != nil && errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("%s: no answer for %v", name, d)
		}
		c.Close()
	}
}

// session is a connection on which messages are sent as one likes.
type session struct {
	conn  net.Conn
	front *pgproto3.Frontend
}

// session logs in.
func (r *rig) session(t testing.TB) *session {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.place.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &session{c, pgproto3.NewFrontend(c, c)}
	s.front.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "agent", "database": "clients"}})
	s.front.Send(&pgproto3.PasswordMessage{Password: r.place.Password})
	s.front.Flush()
	if e, _ := s.untilReady(t); e != nil {
		t.Fatalf("login: %+v", e)
	}
	return s
}

func (s *session) raw(t testing.TB, b []byte) {
	t.Helper()
	if _, err := s.conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

// untilReady reads to ReadyForQuery and returns the last error and the state.
func (s *session) untilReady(t testing.TB) (*pgproto3.ErrorResponse, byte) {
	t.Helper()
	s.conn.SetDeadline(time.Now().Add(30 * time.Second))
	var last *pgproto3.ErrorResponse
	for {
		m, err := s.front.Receive()
		if err != nil {
			t.Fatalf("%v, after %+v", err, last)
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			e := *m
			last = &e
		case *pgproto3.ReadyForQuery:
			return last, m.TxStatus
		}
	}
}

// lastError reads until the connection is closed and returns the last error.
func (s *session) lastError(t testing.TB) *pgproto3.ErrorResponse {
	t.Helper()
	s.conn.SetDeadline(time.Now().Add(60 * time.Second))
	var last *pgproto3.ErrorResponse
	for {
		m, err := s.front.Receive()
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("the connection stays open")
			}
			return last
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			c := *e
			last = &c
		}
	}
}

// query runs a simple query that must succeed.
func (s *session) query(t testing.TB, text string) {
	t.Helper()
	s.front.Send(&pgproto3.Query{String: text})
	s.front.Flush()
	if e, _ := s.untilReady(t); e != nil {
		t.Errorf("%s: %+v", text, e)
	}
}
