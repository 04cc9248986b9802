package replay

import (
	"testing"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
)

// TestMySQLResult reads a result of the text format, however it is cut.
func TestMySQLResult(t *testing.T) {
	column := []byte("\x03def\x00\x00\x00\x01n\x00\x0c\x2d\x00\x00\x01\x00\x00\xfd\x00\x00\x00\x00\x00")
	for _, step := range []int{1, 7, 1000} {
		p := newMySQL()
		var got []Event
		emit := func(e Event) error { got = append(got, e); return nil }
		ask, _ := wire.AppendPacket(nil, 0, append([]byte{wire.ComQuery}, "SELECT n"...))
		var out []byte
		for i, body := range [][]byte{{1}, column, []byte("\x05hello"), {wire.HeadEOF, 0, 0, 2, 0, 0, 0}} {
			out, _ = wire.AppendPacket(out, byte(i+1), body)
		}
		if err := p.Request(ask, emit); err != nil {
			t.Fatal(err)
		}
		for len(out) > 0 {
			n := min(step, len(out))
			if err := p.Response(append([]byte(nil), out[:n]...), emit); err != nil {
				t.Fatal(err)
			}
			out = out[n:]
		}
		if len(got) != 5 || got[0].Message != "Query" || len(got[2].Columns) != 1 || got[2].Columns[0].Name != "n" || got[3].Row[0].Text != "hello" || got[4].Done == nil {
			t.Errorf("step %d: %+v", step, got)
		}
	}
}

// FuzzMySQL: whatever is in a record, the decoder ends.
func FuzzMySQL(f *testing.F) {
	ask, _ := wire.AppendPacket(nil, 0, []byte{wire.ComStmtExecute, 1, 0, 0, 0, 0, 1, 0, 0, 0})
	f.Add(ask, []byte{1, 0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, up, down []byte) {
		p := newMySQL()
		emit := func(e Event) error { _, _ = e.MarshalJSON(); return nil }
		for range 2 {
			if p.Request(append([]byte(nil), up...), emit) != nil || p.Response(append([]byte(nil), down...), emit) != nil {
				t.Fatal("an error that nobody made")
			}
		}
	})
}
