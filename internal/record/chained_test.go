package record

import (
	"crypto/sha256"
	"testing"
	"time"
)

// TestChained: what is given of frames leads to the chain's hash.
func TestChained(t *testing.T) {
	const id = "ses_1"
	s := NewStream(id)
	prev := Root(id)
	var b []byte
	for i, f := range []Frame{{Kind: KindOpen, Payload: []byte(`{"session":{"id":"ses_1"}}`)}, {Kind: KindRequest, Action: 7, Payload: []byte{0, 255}},
		{Kind: KindClose, Recovered: true, Payload: []byte("{}")}} {
		f.Seq, f.Time = uint64(i), time.Unix(1_700_000_000, int64(i)+1)
		b = f.AppendChained(b[:0])
		prev = sha256.Sum256(append(append([]byte(domainFrame), prev[:]...), b...))
		if err := s.Write(append(append([]byte(nil), b...), prev[:]...), func(got Frame) error {
			if got.Seq != f.Seq || got.Recovered != f.Recovered {
				t.Errorf("%+v", got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if s.Hash() != prev {
		t.Error("another hash")
	}
}
