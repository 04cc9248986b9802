package content

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"dragoman.dev/dragoman/internal/mask"
)

// show writes masked spans in «».
func show(list []Span) string {
	var b strings.Builder
	for _, s := range list {
		if s.Masked {
			b.WriteString("«" + s.Text + "»")
		} else {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}

func shown(b Body) string {
	out := b.Form + "|" + show(b.Spans)
	for _, m := range b.Messages {
		out += "|" + m.Title + "=" + show(m.Spans)
	}
	return out
}

func TestRead(t *testing.T) {
	m := NewMarks([]mask.Spec{{Name: "a", JSON: []string{"$.secret", "$..items[*].n"}}, {Name: "b", Fields: []string{"token"}}, {Name: "c", Detectors: []string{"email"}, Way: mask.WayPartial}})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(`{"a":1}`))
	z.Close()
	msg := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "hi [redacted]")
	msg = protowire.AppendVarint(protowire.AppendTag(msg, 2, protowire.VarintType), 7)
	msg = protowire.AppendBytes(protowire.AppendTag(msg, 3, protowire.BytesType), protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 9))
	grpc := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(msg))), msg...)
	for _, c := range []struct {
		head Head
		body string
		want string
	}{
		{Head{Type: "application/json"}, `{"secret":"[redacted]","n":1.50,"u":"<\u0041>","e":"a***@example.com"}`,
			"JSON|{\n  \"secret\": «\"[redacted]\"»,\n  \"n\": 1.50,\n  \"u\": \"<\\u0041>\",\n  \"e\": \"«a***@example.com»\"\n}"},
		{Head{Type: "application/json"}, `{"x":{"items":[{"n":0},{}]},"y":[]}`,
			"JSON|{\n  \"x\": {\n    \"items\": [\n      {\n        \"n\": «0»\n      },\n      {}\n    ]\n  },\n  \"y\": []\n}"},
		{Head{Type: "application/json"}, `{"a":`, `text|{"a":`},
		{Head{Type: "application/json", Encoding: "gzip"}, packed.String(), "JSON|{\n  \"a\": 1\n}"},
		{Head{Type: "application/json", Encoding: "rot13"}, "x", "bytes|00000000  78                                                |x|\n"},
		{Head{Type: "application/x-www-form-urlencoded"}, "token=x&a=b%20c", "form||token=«x»|a=b c"},
		{Head{Type: "text/event-stream"}, "event: tick\ndata: {\"a\":1}\n\n: hi\n\ndata: x\ndata: y\n\n", "events||event: tick={\n  \"a\": 1\n}|comment: hi=|message=x\ny"},
		{Head{Type: "application/json"}, `{"type":"ADDED","object":{"kind":"Pod","metadata":{"namespace":"dev","name":"web"}}}` + "\n" + `{"type":"BOOKMARK"}` + "\n",
			"JSON documents||1 ADDED Pod dev/web={\n  \"type\": \"ADDED\",\n  \"object\": {\n    \"kind\": \"Pod\",\n    \"metadata\": {\n      \"namespace\": \"dev\",\n      \"name\": \"web\"\n    }\n  }\n}|2={\n  \"type\": \"BOOKMARK\"\n}"},
		{Head{Type: "application/grpc"}, string(grpc), "gRPC||message 1, 21 bytes=1: \"hi «[redacted]»\"\n2: 7\n3: {\n  1: 9\n}\n"},
		{Head{Type: "image/png"}, "\x89P", "bytes|00000000  89 50                                             |.P|\n"},
		{Head{Type: "text/plain", Cut: true}, "caf\xc3", "text|caf\xc3"},
		{Head{}, "", "|"},
	} {
		if got := shown(m.Read(c.head, []byte(c.body))); got != c.want {
			t.Errorf("%+v %q:\n%s\nwant\n%s", c.head, c.body, got, c.want)
		}
	}
	if got := shown((Marks{}).Read(Head{}, []byte(`["[redacted]"]`))); strings.Contains(got, "«") {
		t.Errorf("marked without a mask: %s", got)
	}
}

func TestFrames(t *testing.T) {
	var text, bin, packed bytes.Buffer
	text.WriteString("\x81\x85\x01\x02\x03\x04" + "\x69\x67\x6f\x68\x6e") // hello
	bin.WriteString("\x82\x02\xff\x00\x88\x05\x03\xe8bye")
	z, _ := flate.NewWriter(&packed, 9)
	f := Frames{Deflate: true}
	got := ""
	for _, b := range append(text.Bytes(), bin.Bytes()...) { // a byte at a time
		for _, m := range f.Add([]byte{b}) {
			got += "|" + m.Title + "=" + show(m.Spans)
		}
	}
	for range 2 { // the second refers to the first
		packed.Reset()
		z.Write([]byte(`{"said":"again and again"}`))
		z.Flush()
		b := bytes.TrimSuffix(packed.Bytes(), []byte{0, 0, 0xff, 0xff})
		for _, m := range f.Add(append([]byte{0xc1, byte(len(b))}, b...)) {
			got += "|" + m.Title[strings.Index(m.Title, ", 26"):] + "=" + strings.ReplaceAll(show(m.Spans), "\n", "")
		}
	}
	want := "|text, 5 bytes=hello|binary, 2 bytes=00000000  ff 00                                             |..|\n|close, 5 bytes, code 1000=bye" +
		`|, 26 when unpacked={  "said": "again and again"}|, 26 when unpacked={  "said": "again and again"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if m := f.Add([]byte{0x82, 0x7f, 0x7f, 0, 0, 0, 0, 0, 0, 0}); len(m) != 1 || len(f.Add([]byte("\x81\x01x"))) != 0 {
		t.Error("a frame of any length is waited for")
	}
}

func TestCalls(t *testing.T) {
	q := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/etc/hosts"}}}`
	a := `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"a [redacted]"},{"type":"image","data":"AA=="}],"isError":true}}`
	m := NewMarks([]mask.Spec{{Name: "a", Detectors: []string{"email"}}})
	for _, c := range []struct {
		response string
		events   bool
	}{{a, false}, {"event: message\ndata: " + a + "\n\n", true}} {
		calls := m.Calls([]byte(q), []byte(c.response), c.events)
		if len(calls) != 1 || calls[0].Tool != "read_file" || !calls[0].Failed || show(calls[0].Arguments) != "{\n  \"path\": \"/etc/hosts\"\n}" ||
			len(calls[0].Result) != 2 || show(calls[0].Result[0].Spans) != "a «[redacted]»" {
			t.Errorf("%+v", calls)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("application/json", "gzip", []byte(`{"a":[1,"x"]}`))
	f.Add("application/grpc", "", []byte("\x00\x00\x00\x00\x02\x08\x01"))
	f.Add("text/event-stream", "", []byte("data: x\n\n"))
	m := NewMarks([]mask.Spec{{Name: "a", JSON: []string{"$..a"}}})
	f.Fuzz(func(t *testing.T, typ, coding string, b []byte) {
		out := m.Read(Head{Type: typ, Encoding: coding}, b)
		if out.Form == "JSON" && coding == "" {
			strip := strings.NewReplacer(" ", "", "\n", "", "\t", "", "\r", "")
			text := ""
			for _, s := range out.Spans {
				text += s.Text
			}
			if strip.Replace(text) != strip.Replace(string(b)) {
				t.Errorf("%q is shown as %q", b, text)
			}
		}
		w := Frames{Marks: m, Deflate: true}
		w.Add(b)
		m.Calls(b, b, false)
		m.Calls(b, b, true)
	})
}
