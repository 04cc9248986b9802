package coding

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/filters/http/content/refusal"
)

func encode(t testing.TB, header string, plain []byte) []byte {
	t.Helper()
	names, err := Parse(header)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEncoder(names)
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Write(nil, plain)
	if err == nil {
		out, err = e.Close(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func decode(header string, body []byte, piece, ratio int) (out []byte, err error) {
	names, err := Parse(header)
	if err != nil {
		return nil, err
	}
	d := NewDecoder(names, ratio)
	defer d.Abort()
	sink := func(p []byte) error { out = append(out, p...); return nil }
	for len(body) > 0 {
		n := min(piece, len(body))
		if err := d.Write(bytes.Clone(body[:n]), sink); err != nil {
			return out, err
		}
		body = body[n:]
	}
	return out, d.Close(sink)
}

func code(err error) string {
	var e *refusal.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestRoundTrip(t *testing.T) {
	plain := []byte(strings.Repeat("the quick brown fox ", 10000))
	for _, header := range []string{"gzip", "x-gzip", "deflate", "br", "zstd", "gzip, br", "identity, zstd, GZIP"} {
		body := encode(t, header, plain)
		for _, piece := range []int{1, 7, 1000, len(body)} {
			got, err := decode(header, body, piece, 0)
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%s in pieces of %d: %d bytes, %v", header, piece, len(got), err)
			}
		}
		if _, err := decode(header, body[:len(body)-1], 100, 0); err == nil {
			t.Errorf("%s: cut off, and no error", header)
		}
		if _, err := decode(header, append(bytes.Clone(body), "tail"...), 100, 0); err == nil {
			t.Errorf("%s: something behind, and no error", header)
		}
		if _, err := decode(header, []byte(`{"plain": "text"}`), 100, 0); err == nil {
			t.Errorf("%s: plain text, and no error", header)
		}
		if _, err := decode(header, nil, 1, 0); err != nil {
			t.Errorf("%s: nothing at all: %v", header, err)
		}
	}
}

// What standard encoders make is read: also members one after another, and deflate without zlib.
func TestForms(t *testing.T) {
	var two, raw, z bytes.Buffer
	for range 2 {
		w := gzip.NewWriter(&two)
		io.WriteString(w, "half ")
		w.Close()
	}
	f, _ := flate.NewWriter(&raw, 5)
	io.WriteString(f, "bare")
	f.Close()
	w := zlib.NewWriter(&z)
	io.WriteString(w, "zlib")
	w.Close()
	for _, c := range []struct {
		header string
		body   []byte
		want   string
	}{{"gzip", two.Bytes(), "half half "}, {"deflate", raw.Bytes(), "bare"}, {"deflate", z.Bytes(), "zlib"}} {
		for piece := 1; piece < 4; piece++ {
			if got, err := decode(c.header, c.body, piece, 0); err != nil || string(got) != c.want {
				t.Errorf("%s: %q, %v", c.header, got, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for header, want := range map[string]string{"compress": "coding", "gzip, gzip, gzip": "coding", "gzip;q=1": "coding", "aes128gcm": "coding"} {
		if _, err := Parse(header); code(err) != want {
			t.Errorf("%s: %v", header, err)
		}
	}
	for _, header := range []string{"gzip", "br", "zstd", "deflate"} {
		bomb := encode(t, header, make([]byte, 64<<20))
		if _, err := decode(header, bomb, 4096, 0); code(err) != refusal.Expands {
			t.Errorf("%s: a bomb of %d bytes: %v", header, len(bomb), err)
		}
	}
}

// A decoder that is given up leaves no goroutine behind, wherever it was.
func TestAbort(t *testing.T) {
	body := encode(t, "gzip", []byte(strings.Repeat("abc", 100000)))
	before := runtime.NumGoroutine()
	for i := range 50 {
		d := NewDecoder([]string{"gzip"}, 0)
		err := d.Write(body[:1+i], func([]byte) error { return nil })
		if i%2 == 0 && err == nil {
			err = d.Write(body[1+i:], func([]byte) error { return errors.New("full") })
			if err == nil || err.Error() != "full" {
				t.Fatal(err)
			}
		}
		d.Abort()
		d.Abort()
		if d.Write(body, nil) == nil {
			t.Fatal("it goes on")
		}
	}
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i > 6000 {
			t.Fatalf("%d goroutines, there were %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// The same comes out however the body is cut, and no other than the standard library gives.
func FuzzDecoder(f *testing.F) {
	for i, header := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(uint8(i), encode(f, header, []byte("hello, hello, hello")), 3)
		f.Add(uint8(i), encode(f, header, nil), 1)
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte, piece int) {
		header := []string{"gzip", "deflate", "br", "zstd"}[which%4]
		whole, err1 := decode(header, body, len(body)+1, 0)
		parts, err2 := decode(header, body, 1+(piece&7), 0)
		if (err1 == nil) != (err2 == nil) || err1 == nil && !bytes.Equal(whole, parts) {
			t.Fatalf("%s in pieces differs: %v, %v", header, err1, err2)
		}
		if header != "gzip" || err1 != nil || len(body) == 0 {
			return
		}
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("the standard library says %v", err)
		}
		std, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(std, whole) {
			t.Fatalf("the standard library has %q, %v; we have %q", std, err, whole)
		}
	})
}
