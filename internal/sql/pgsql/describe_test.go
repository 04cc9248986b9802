package pgsql

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/sql"
)

func lines(t testing.TB, path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range strings.Split(string(b), "\n") {
		if l != "" && !strings.HasPrefix(l, "--") {
			out = append(out, l)
		}
	}
	return out
}

// TestDescribe compares the outputs with what the servers say of each statement.
func TestDescribe(t *testing.T) {
	for _, s := range servers {
		t.Run(s.version, func(t *testing.T) {
			for _, q := range lines(t, "testdata/describe.sql") {
				if text, ok := strings.CutPrefix(q, "18:"); ok {
					if s.version != pgserver.Newest {
						continue
					}
					q = text
				}
				s.describe(t, q)
			}
		})
	}
}

func (s *server) describe(t *testing.T, q string) {
	d, err := s.conn.Prepare(context.Background(), "", q)
	if err != nil {
		t.Errorf("%s\n  the server says %v", q, err)
		return
	}
	got, err := Analyze(q, s.env)
	if err != nil || len(got) != 1 {
		t.Errorf("%s\n  %v", q, err)
		return
	}
	st := got[0]
	if st.Action.Has("unresolved") || st.Action.Has("unknown_statement") {
		t.Errorf("%s\n  features %v", q, st.Action.Features)
	}
	if st.Returns != (len(d.Fields) > 0) && q != "select" {
		t.Errorf("%s\n  Returns is %v, the server has %d columns", q, st.Returns, len(d.Fields))
	}
	if st.Returns && st.Outputs == nil && len(d.Fields) > 0 {
		t.Errorf("%s\n  no outputs, the server has %d", q, len(d.Fields))
		return
	}
	if len(st.Outputs) != len(d.Fields) {
		t.Errorf("%s\n  %d outputs %v, the server has %v", q, len(st.Outputs), st.Outputs, d.Fields)
		return
	}
	for i, f := range d.Fields {
		out := st.Outputs[i]
		if out.Name != f.Name {
			t.Errorf("%s\n  output %d is %q, the server says %q", q, i+1, out.Name, f.Name)
		}
		if f.TableOID == 0 || int16(f.TableAttributeNumber) <= 0 {
			continue
		}
		col, ok := s.env.Catalog.Column(f.TableOID, int16(f.TableAttributeNumber))
		if !ok {
			t.Errorf("%s\n  table %d column %d is not in the catalog", q, f.TableOID, f.TableAttributeNumber)
			continue
		}
		if !slices.Contains(out.Origins, col) {
			t.Errorf("%s\n  output %d comes from %v, the server says %v", q, i+1, out.Origins, col)
		}
		if !s.reads(st, col) {
			t.Errorf("%s\n  %v is not among the reads %v", q, col, st.Action.Reads)
		}
	}
}

func (s *server) reads(st *sql.Statement, col sql.Column) bool {
	for _, o := range st.Action.Reads {
		if o.Schema == col.Schema && o.Name == col.Table && slices.Contains(o.Columns, col.Name) {
			return true
		}
	}
	return false
}
