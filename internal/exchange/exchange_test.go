package exchange

import (
	"bytes"
	"reflect"
	"testing"
)

func fields(list ...string) func(func(string, string)) {
	return func(yield func(string, string)) {
		for i := 0; i < len(list); i += 2 {
			yield(list[i], list[i+1])
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want Part
	}{
		{AppendHead(nil, "GET /a?b=c HTTP/1.1", fields("host", "a", "x", "b: c")),
			Part{Kind: KindHead, Start: "GET /a?b=c HTTP/1.1", Fields: []Field{{"host", "a"}, {"x", "b: c"}}}},
		{AppendHead(nil, "HTTP/1.1 204", fields()), Part{Kind: KindHead, Start: "HTTP/1.1 204"}},
		{AppendBody(nil, []byte("\r\nx")), Part{Kind: KindBody, Body: []byte("\r\nx")}},
		{AppendTrailers(nil, fields("grpc-status", "0")), Part{Kind: KindTrailers, Fields: []Field{{"grpc-status", "0"}}}},
		{AppendCut(nil, Cut{10, 5, "ab"}), Part{Kind: KindCut, Cut: &Cut{10, 5, "ab"}}},
	} {
		got, err := Decode(c.b)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v %v", c.b, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(AppendHead(nil, "GET / HTTP/1.1", fields("a", "b")))
	f.Add(AppendCut(nil, Cut{1, 1, "x"}))
	f.Add([]byte("T\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		all := func(yield func(string, string)) {
			for _, x := range p.Fields {
				yield(x.Name, x.Value)
			}
		}
		if p.Kind == KindHead && !bytes.Equal(AppendHead(nil, p.Start, all), b) {
			t.Fatalf("%q is not what was written", b)
		}
	})
}
