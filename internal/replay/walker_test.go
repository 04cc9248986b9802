package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
)

// cut is a session whose wire bytes are in frames of at most step bytes.
func cut(list []record.Frame, step int) (out []record.Frame) {
	for _, f := range list {
		if f.Kind != record.KindResponse && f.Kind != record.KindRequest {
			out = append(out, f)
			continue
		}
		for p := f.Payload; len(p) > 0; p = p[min(step, len(p)):] {
			f.Payload = p[:min(step, len(p))]
			out = append(out, f)
		}
	}
	return out
}

// mysqlSession has a prepared statement that is run and fetched from later.
func mysqlSession(t *testing.T) *list {
	l := newList()
	l.json(t, record.KindOpen, 0, record.Open{Target: policy.Target{Name: "shop", Protocol: "mysql"}})
	column := []byte("\x03def\x00\x00\x00\x01n\x00\x0c\x2d\x00\x00\x01\x00\x00\xfd\x00\x00\x00\x00\x00")
	ask := func(body ...byte) {
		b, _ := wire.AppendPacket(nil, 0, body)
		l.add(record.KindRequest, 1, b)
	}
	answer := func(bodies ...[]byte) {
		var out []byte
		for i, body := range bodies {
			out, _ = wire.AppendPacket(out, byte(i+1), body)
		}
		l.add(record.KindResponse, 1, out)
	}
	ask(append([]byte{wire.ComQuery}, "SELECT n"...)...)
	answer([]byte{1}, column, []byte("\x05hello"), []byte{wire.HeadEOF, 0, 0, 2, 0, 0, 0})
	ask(wire.ComStmtExecute, 1, 0, 0, 0, 1, 1, 0, 0, 0)
	answer([]byte{1}, column, []byte{wire.HeadEOF, 0, 0, 0x42, 0, 0, 0})
	ask(append([]byte{wire.ComQuery}, "SELECT n"...)...)
	answer([]byte{wire.HeadOK, 0, 0, 2, 0, 0, 0})
	ask(wire.ComStmtFetch, 1, 0, 0, 0, 1, 0, 0, 0)
	answer([]byte{0, 0, 1, 'x'}, []byte{wire.HeadEOF, 0, 0, 0x82, 0, 0, 0})
	return l
}

func sshSession(t *testing.T) *list {
	l := newList()
	l.json(t, record.KindOpen, 0, record.Open{Target: policy.Target{Name: "pod", Protocol: "kubernetes"}})
	l.add(record.KindRequest, 1, sshwire.AppendRequest(nil, 0, "shell", nil))
	l.add(record.KindResponse, 1, sshwire.AppendData(nil, 0, []byte("hello")))
	return l
}

// TestCopiedWalker: a copy made between any two frames goes on as the original does, and neither disturbs the other.
func TestCopiedWalker(t *testing.T) {
	type one struct {
		name string
		list []record.Frame
	}
	all := []one{{"kubernetes", sshSession(t).frames}}
	for _, step := range []int{1, 7, 1000} {
		all = append(all, one{"postgres", cut(session(t).frames, step)}, one{"postgres, described long ago", cut(longAgo(t).frames, step)}, one{"mysql", cut(mysqlSession(t).frames, step)})
	}
	for _, c := range all {
		var want []string // what the original gives, frame by frame
		var copies []*Walker
		original := &Walker{}
		told := func(w *Walker, src Source) string {
			out := ""
			err := w.Step(src, func(f record.Frame) error { out += fmt.Sprintln(f.Kind); return nil }, func(_ record.Frame, e Event) error {
				b, err := json.Marshal(e)
				out += string(b) + "\n"
				return err
			})
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return out
		}
		src := &iterator{frames: slices.Clone(c.list)}
		for range c.list {
			want = append(want, told(original, src))
			w, ok := original.Copy()
			if !ok {
				t.Fatalf("%s: no copy", c.name)
			}
			copies = append(copies, w)
		}
		for i, w := range copies {
			src := &iterator{frames: slices.Clone(c.list[i+1:])}
			for j := i + 1; j < len(c.list); j++ {
				if got := told(w, src); got != want[j] {
					t.Fatalf("%s: copied behind frame %d, at frame %d:\n%s\nwant\n%s", c.name, i, j, got, want[j])
				}
			}
		}
	}
}

// TestCopyIsBounded: a state that is too large is not copied, and nothing is where states are not kept.
func TestCopyIsBounded(t *testing.T) {
	p := newPostgres()
	w := &Walker{p}
	for i := range maxCopiedNames + 1 {
		if _, ok := w.Copy(); !ok {
			t.Fatalf("no copy with %d statements", i)
		}
		p.flow.statements[string(rune(1000+i))] = nil
	}
	if _, ok := w.Copy(); ok {
		t.Error("too many statements are copied")
	}
	p = newPostgres()
	p.down.pending = make([]byte, maxCopied+1)
	wide := newPostgres()
	wide.flow.statements["a"] = make([]pgproto3.FieldDescription, maxCopiedColumns+1)
	for name, of := range map[string]Protocol{"a long message": p, "many columns": wide, "rdp": newRDP()} {
		if _, ok := (&Walker{of}).Copy(); ok {
			t.Errorf("%s is copied", name)
		}
	}
}
