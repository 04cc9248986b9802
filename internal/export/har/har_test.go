package har

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/exchange"
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
