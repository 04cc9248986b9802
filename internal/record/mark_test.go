package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

// rest reads what follows, as what it is made of.
func rest(t *testing.T, r *Reader) (out []byte, err error) {
	t.Helper()
	for {
		f, err := r.Next()
		if err != nil {
			return out, err
		}
		h := r.Hash()
		out = append(f.AppendChained(out), h[:]...)
	}
}

// TestMark: from each mark another reader reads what is behind it, and nothing that the chain does not lead to.
func TestMark(t *testing.T) {
	path, stream := sealed(t, "ses_a", 300, 20_000)
	raw, err := os.ReadFile(path)
	must(t, err)
	live := append(StreamHeader("ses_a"), stream...)
	other, _ := sealed(t, "ses_a", 290, 20_000)
	for _, c := range []struct {
		name string
		open func([]byte) *Reader
		file []byte
		few  int
	}{
		{"sealed", func(b []byte) *Reader {
			r, err := NewSealedReader(bytes.NewReader(b), int64(len(b)))
			must(t, err)
			return r
		}, raw, 5},
		{"live", func(b []byte) *Reader {
			return NewFileReader(struct {
				io.ReaderAt
				io.Closer
			}{bytes.NewReader(b), io.NopCloser(nil)}, "ses_a", int64(len(b)-StreamHeaderLen))
		}, live, 302},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.open(c.file)
			if _, ok := r.Mark(); ok {
				t.Error("there is a mark before the first frame")
			}
			var marks []Mark
			for {
				if _, err := r.Next(); err != nil {
					break
				}
				if m, ok := r.Mark(); ok {
					marks = append(marks, m)
				}
			}
			if len(marks) < c.few {
				t.Fatalf("%d marks", len(marks))
			}
			for _, m := range marks {
				again := c.open(c.file)
				must(t, again.Resume(m))
				if got, err := rest(t, again); err != io.EOF || !bytes.Equal(got, stream[m.Offset():]) {
					t.Fatalf("from %d: %d bytes of %d, %v", m.Offset(), len(got), len(stream)-int(m.Offset()), err)
				}
				if err := again.Resume(m); !errors.Is(err, ErrNoMark) {
					t.Errorf("a reader that has read goes on from a mark: %v", err)
				}
			}
			last := marks[len(marks)/2]
			bad := bytes.Clone(c.file)
			bad[int64(len(bad))*9/10] ^= 1
			again := c.open(bad)
			must(t, again.Resume(last))
			var corrupt *CorruptError
			if got, err := rest(t, again); !errors.As(err, &corrupt) || !bytes.HasPrefix(stream[last.Offset():], got) {
				t.Errorf("a changed byte behind the mark: %d bytes, %v", len(got), err)
			}
			wrong := last
			wrong.hash[0] ^= 1
			again = c.open(c.file)
			must(t, again.Resume(wrong))
			if got, err := rest(t, again); !errors.As(err, &corrupt) || len(got) > 0 {
				t.Errorf("what does not follow from the mark: %d bytes, %v", len(got), err)
			}
			if r, err := OpenPath(other); err != nil {
				t.Error(err)
			} else {
				if err := r.Resume(last); !errors.Is(err, ErrNoMark) {
					t.Errorf("another record goes on from it: %v", err)
				}
				r.Close()
			}
			if err := c.open(c.file).Resume(Mark{}); !errors.Is(err, ErrNoMark) {
				t.Errorf("from no mark: %v", err)
			}
		})
	}
}
