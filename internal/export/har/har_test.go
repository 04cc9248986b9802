package har

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/export/exporttest"
	"dragoman.dev/dragoman/internal/record"
)

type frames []record.Frame

func (f *frames) Next() (record.Frame, error) {
	if len(*f) == 0 {
		return record.Frame{}, io.EOF
	}
	first := (*f)[0]
	*f = (*f)[1:]
	return first, nil
}

func fields(list ...string) func(func(string, string)) {
	return func(yield func(string, string)) {
		for i := 0; i < len(list); i += 2 {
			yield(list[i], list[i+1])
		}
	}
}

// TestWrite: two exchanges at a time, one cut, one that never ends.
func TestWrite(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var src frames
	add := func(kind record.Kind, action uint64, p []byte) {
		at = at.Add(time.Millisecond)
		src = append(src, record.Frame{Time: at, Kind: kind, Action: action, Payload: p})
	}
	add(record.KindAction, 1, []byte(`{"decision":{"verdict":"allow","rule":"r"}}`))
	add(record.KindRequest, 1, exchange.AppendHead(nil, "POST /a?b=c%20d HTTP/2", fields("host", "h", "content-type", "text/plain")))
	add(record.KindRequest, 2, exchange.AppendHead(nil, "GET /x HTTP/1.1", fields("host", "h")))
	add(record.KindRequest, 1, exchange.AppendBody(nil, []byte("hel")))
	add(record.KindRequest, 1, exchange.AppendBody(nil, []byte("lo")))
	add(record.KindResponse, 1, exchange.AppendHead(nil, "HTTP/2 200 OK", fields("content-type", "image/png")))
	add(record.KindResponse, 1, exchange.AppendBody(nil, []byte{0xff, 0}))
	add(record.KindResponse, 1, exchange.AppendCut(nil, exchange.Cut{Bytes: 100, Recorded: 2, SHA256: "ab"}))
	add(record.KindResult, 1, []byte(`{"status":"ok"}`))
	var out bytes.Buffer
	if err := Write(&out, "ses_1", "1.0", &src); err != nil {
		t.Fatal(err)
	}
	var har struct {
		Log struct {
			Version string
			Entries []struct {
				Comment string
				Request struct {
					Method, URL string
					QueryString []pair
					PostData    struct{ Text string }
				}
				Response struct {
					Status  int
					Content struct {
						Size                    int
						Text, Encoding, Comment string
					}
				}
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &har); err != nil {
		t.Fatal(err, out.String())
	}
	e := har.Log.Entries
	if har.Log.Version != "1.2" || len(e) != 2 || e[0].Request.URL != "http://h/a?b=c%20d" || e[0].Request.QueryString[0] != (pair{"b", "c d"}) ||
		e[0].Request.PostData.Text != "hello" || e[0].Response.Status != 200 || e[0].Response.Content.Size != 100 || e[0].Response.Content.Text != "/wA=" ||
		e[0].Response.Content.Encoding != "base64" || e[0].Response.Content.Comment == "" || e[1].Request.Method != "GET" {
		t.Errorf("%+v", e)
	}
}

// TestRefused: of a request that was not sent there is no head, but what was judged is in the archive.
func TestRefused(t *testing.T) {
	var src frames
	for n, a := range []string{`{"kind":"http","verbs":["delete"],"text":"DELETE /orders?id=7","writes":[{"schema":"shop.test","name":"/orders"}]}`,
		`{"kind":"mcp.tool","verbs":["call"],"text":"drop_all"}`, `{}`} {
		src = append(src, record.Frame{Time: time.Unix(1, 0), Kind: record.KindAction, Action: uint64(n + 1), Payload: []byte(`{"action":` + a + `,"decision":{"verdict":"block","rule":"r"}}`)},
			record.Frame{Time: time.Unix(2, 0), Kind: record.KindResponse, Action: uint64(n + 1), Payload: exchange.AppendHead(nil, "HTTP/1.1 403 Forbidden", fields())},
			record.Frame{Time: time.Unix(2, 0), Kind: record.KindResult, Action: uint64(n + 1), Payload: []byte(`{"status":"blocked"}`)})
	}
	src = append(src, record.Frame{Time: time.Unix(3, 0), Kind: record.KindResponse, Action: 9, Payload: exchange.AppendHead(nil, "HTTP/1.1 403 Forbidden", fields())})
	var out bytes.Buffer
	if err := Write(&out, "ses_1", "1.0", &src); err != nil {
		t.Fatal(err)
	}
	if n, found := exporttest.HAR(out.Bytes()); n != 4 || len(found) > 0 {
		t.Error(n, found)
	}
	for _, want := range []string{`"method":"DELETE"`, `"url":"http://shop.test/orders?id=7"`, `{"name":"id","value":"7"}`, `"url":"http://unknown.invalid/"`, `"method":"UNKNOWN"`} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("no %s in %s", want, out.Bytes())
		}
	}
}
