package record

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// sealed makes a sealed file with several blocks.
func sealed(t testing.TB, id string, n, size int) (path string, stream []byte) {
	t.Helper()
	s := testSpool(t, Options{})
	w := begin(t, s, ModeWrite, id)
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	body := make([]byte, size)
	for i := range n {
		for j := range body {
			body[j] = byte(rnd.IntN(16))
		}
		must(t, w.Append(KindResponse, uint64(i+1), body))
	}
	must(t, w.Close(Close{Reason: "client", Actions: uint64(n)}))
	stream = streamOf(t, filepath.Join(s.dir, id))
	path = filepath.Join(t.TempDir(), id+SealedExt)
	foot, err := SealFile(path, id, bytes.NewReader(stream))
	must(t, err)
	if foot.Frames != uint64(n+2) || !foot.Ended || foot.Lost || foot.Bytes != uint64(len(stream)) {
		t.Fatalf("%+v", foot)
	}
	return path, stream
}

func TestSealedRoundTrip(t *testing.T) {
	path, stream := sealed(t, "ses_a", 300, 20_000)
	r, err := OpenPath(path)
	must(t, err)
	defer r.Close()
	var back []byte
	for {
		f, err := r.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		b := make([]byte, frameHeaderLen)
		headerOf(f).put(b)
		h := r.Hash()
		back = append(append(append(back, b...), f.Payload...), h[:]...)
	}
	if !bytes.Equal(back, stream) {
		t.Fatal("the sealed file gives other bytes back")
	}
	rep, err := Verify(path, nil)
	if err != nil || !rep.OK() || !rep.Sealed || !rep.Ended || rep.Frames != 302 {
		t.Fatalf("%+v %v", rep, err)
	}
}

func TestLargeWireData(t *testing.T) {
	s := testSpool(t, Options{})
	w := begin(t, s, ModeWrite, "ses_big")
	body := bytes.Repeat([]byte("0123456789abcdef"), 40<<16) // 40 MiB
	must(t, w.Append(KindResponse, 1, []byte("head"), body))
	if err := w.Append(KindAction, 1, body); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	must(t, w.Close(Close{Reason: "client"}))
	var got []byte
	for _, f := range frames(t, filepath.Join(s.dir, "ses_big")) {
		if f.Kind == KindResponse {
			got = append(got, f.Payload...)
		}
	}
	if !bytes.Equal(got, append([]byte("head"), body...)) {
		t.Fatal("wire data differs")
	}
}

func TestEveryMutationIsFound(t *testing.T) {
	path, _ := sealed(t, "ses_a", 60, 20_000)
	good, err := os.ReadFile(path)
	must(t, err)
	rnd := rand.New(rand.NewPCG(7, 7))
	bad := filepath.Join(t.TempDir(), "bad.drs")
	kinds := map[string]int{}
	for i := range 1000 {
		b := bytes.Clone(good)
		switch i % 4 {
		case 0, 1: // a changed bit
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		case 2: // cut off
			b = b[:rnd.IntN(len(b))]
		case 3: // bytes put in or behind
			at := rnd.IntN(len(b) + 1)
			if i%8 == 3 {
				at = len(b)
			}
			b = append(b[:at:at], append([]byte{byte(i)}, b[at:]...)...)
		}
		must(t, os.WriteFile(bad, b, 0o600))
		rep, err := Verify(bad, nil)
		if err != nil || rep.OK() {
			t.Fatalf("mutation %d was not found: %+v %v", i, rep, err)
		}
		kinds[rep.Problems[0].Kind]++
	}
	t.Log(kinds)
	if kinds["trailing"] == 0 || kinds["truncated"] == 0 || kinds["changed"] == 0 {
		t.Error("kinds are not told apart")
	}
}

// each calls f with the raw frames of a stream.
func each(t testing.TB, stream []byte) [][]byte {
	t.Helper()
	var all [][]byte
	for len(stream) > 0 {
		h, err := decodeHeader(stream)
		must(t, err)
		all = append(all, stream[:frameOverhead+h.length])
		stream = stream[frameOverhead+h.length:]
	}
	return all
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	s := testSpool(t, Options{})
	a := each(t, writeSession(t, s, "ses_a", 5, true))
	b := each(t, writeSession(t, s, "ses_b", 5, true))
	seg := func(id string, parts ...[]byte) string {
		h := segHeader{session: id, prev: Root(id)}.encode()
		path := filepath.Join(t.TempDir(), "00000000.seg")
		must(t, os.WriteFile(path, append(h, bytes.Join(parts, nil)...), 0o600))
		return path
	}
	join := func(parts ...[][]byte) (all [][]byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	flipped := bytes.Clone(a[3])
	flipped[40] ^= 1
	for name, c := range map[string]struct {
		frames [][]byte
		kind   string
		frame  uint64
	}{
		"whole":     {a, "", 0},
		"changed":   {join(a[:3], [][]byte{flipped}, a[4:]), "changed", 3},
		"gap":       {join(a[:3], a[5:]), "gap", 3},
		"truncated": {join(a[:3], [][]byte{a[3][:50]}), "truncated", 3},
		"trailing":  {join(a, [][]byte{a[1]}), "trailing", uint64(len(a))},
		"spliced":   {join(a[:3], b[3:4], a[4:]), "changed", 3},
		"other":     {b, "changed", 0},
	} {
		rep, err := Verify(seg("ses_a", c.frames...), nil)
		if err != nil {
			t.Fatal(name, err)
		}
		if c.kind == "" {
			if !rep.OK() {
				t.Errorf("%s: %+v", name, rep)
			}
			continue
		}
		if rep.OK() || rep.Problems[0].Kind != c.kind || rep.Problems[0].Frame != c.frame {
			t.Errorf("%s: %+v", name, rep)
		}
	}
	// A header of another session before the frames.
	h := segHeader{session: "ses_x", prev: Root("ses_a")}.encode()
	path := filepath.Join(t.TempDir(), "x.seg")
	must(t, os.WriteFile(path, append(h, bytes.Join(a, nil)...), 0o600))
	if rep, err := Verify(path, nil); err != nil || rep.OK() || rep.Problems[0].Kind != "session" {
		t.Errorf("%+v %v", rep, err)
	}
}

func TestStreamInPieces(t *testing.T) {
	s := testSpool(t, Options{})
	stream := writeSession(t, s, "ses_a", 30, true)
	for _, step := range []int{1, 7, 100, 1000, len(stream)} {
		st := NewStream("ses_a")
		n := 0
		for off := 0; off < len(stream); off += step {
			must(t, st.Write(stream[off:min(off+step, len(stream))], func(Frame) error { n++; return nil }))
		}
		if n != 62 || !st.Ended() || st.Offset() != uint64(len(stream)) {
			t.Fatal(step, n, st.Ended())
		}
		if err := st.Write([]byte{1}, nil); !errors.Is(err, ErrTrailing) {
			t.Fatal(err)
		}
	}
	st := NewStream("ses_b")
	if err := st.Write(stream, func(Frame) error { return nil }); !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
}

func FuzzReader(f *testing.F) {
	path, _ := sealed(f, "ses_a", 3, 200)
	good, err := os.ReadFile(path)
	must(f, err)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[:sealHeaderLen])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewSealedReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		defer r.Close()
		drain(t, r)
	})
}

func FuzzSegment(f *testing.F) {
	s := testSpool(f, Options{})
	writeSession(f, s, "ses_a", 3, true)
	b, err := os.ReadFile(segPath(filepath.Join(s.dir, "ses_a"), 0))
	must(f, err)
	f.Add(b)
	f.Add(b[:len(b)-5])
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := NewSegmentReader(bytes.NewReader(b)); err == nil {
			drain(t, r)
		}
		st := NewStream("ses_a")
		if len(b) > segHeaderLen {
			_ = st.Write(b[segHeaderLen:], func(Frame) error { return nil })
		}
	})
}

func drain(t *testing.T, r *Reader) {
	total := 0
	for {
		f, err := r.Next()
		if err != nil {
			return
		}
		if total += len(f.Payload); total > 256<<20 {
			t.Fatal("more came out than can be")
		}
	}
}
