// Package har writes the HTTP exchanges of a session as an HTTP Archive (HAR 1.2), which browsers' developer tools
// and many proxies open. It streams: of each exchange that runs it keeps the heads and at most MaxBody of each body.
package har

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/record"
)

// MaxBody is how much of a body an entry has.
const MaxBody = 4 << 20

// maxRunning bounds how many exchanges are remembered at a time.
const maxRunning = 1000

// Source gives frames in order; Next ends with io.EOF.
type Source interface {
	Next() (record.Frame, error)
}

// Write writes the archive of a session.
func Write(w io.Writer, session, version string, src Source) error {
	a := &archive{w: w, session: session, running: map[uint64]*running{}}
	creator, _ := json.Marshal(map[string]string{"name": "dragoman", "version": version})
	a.printf(`{"log":{"version":"1.2","creator":%s,"entries":[`, creator)
	for {
		f, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(err, a.err)
		}
		a.add(f)
	}
	for _, n := range slices.Sorted(mapsKeys(a.running)) {
		a.end(n, "the record ends before the exchange")
	}
	a.printf("\n]}}\n")
	return a.err
}

func mapsKeys(m map[uint64]*running) func(func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

type archive struct {
	w       io.Writer
	err     error
	session string
	some    bool
	running map[uint64]*running
}

// running is an exchange that has not ended.
type running struct {
	start    time.Time
	last     time.Time
	rule     string
	asked    request // what was judged, for a request that was refused: its head was not sent and is not recorded
	up, down side
}

// request is what an action says of a request.
type request struct{ method, host, target string }

// noHost stands for a host that is not known; it is never one (RFC 2606).
const noHost = "unknown.invalid"

// asked is what is known of a request by its action: a call of MCP names no URL, but is always a POST.
func asked(a *action.Action) request {
	r := request{"POST", noHost, "/"}
	if a.Kind != action.KindHTTP {
		return r
	}
	if method, target, ok := strings.Cut(a.Text, " "); ok && strings.HasPrefix(target, "/") {
		r.method, r.target = method, target
	}
	for _, o := range append(a.Reads[:len(a.Reads):len(a.Reads)], a.Writes...) {
		if o.Schema != "" {
			r.host = o.Schema
		}
	}
	return r
}

type side struct {
	head  *exchange.Part
	began time.Time
	body  []byte
	bytes int64
	cut   *exchange.Cut
}

func (a *archive) printf(format string, args ...any) {
	if a.err == nil {
		_, a.err = fmt.Fprintf(a.w, format, args...)
	}
}

func (a *archive) add(f record.Frame) {
	if f.Action == 0 {
		return
	}
	r := a.running[f.Action]
	if r == nil {
		if len(a.running) >= maxRunning {
			a.end(slices.Min(slices.Collect(mapsKeys(a.running))), "too many exchanges at a time")
		}
		r = &running{start: f.Time, asked: request{"UNKNOWN", noHost, "/"}}
		a.running[f.Action] = r
	}
	r.last = f.Time
	switch f.Kind {
	case record.KindAction:
		var p record.ActionPayload
		if json.Unmarshal(f.Payload, &p) == nil {
			r.rule = p.Decision.Verdict.String() + " by rule " + p.Decision.Rule
			r.asked = asked(&p.Action)
		}
	case record.KindRequest:
		r.up.add(f)
	case record.KindResponse:
		r.down.add(f)
	case record.KindResult:
		a.end(f.Action, "")
	}
}

func (s *side) add(f record.Frame) {
	p, err := exchange.Decode(f.Payload)
	if err != nil {
		return
	}
	switch p.Kind {
	case exchange.KindHead:
		s.head, s.began = &p, f.Time
	case exchange.KindBody:
		s.bytes += int64(len(p.Body))
		s.body = append(s.body, p.Body[:min(len(p.Body), MaxBody-len(s.body))]...)
	case exchange.KindCut:
		s.cut, s.bytes = p.Cut, p.Cut.Bytes
	}
}

type pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func pairs(p *exchange.Part) []pair {
	out := []pair{}
	if p != nil {
		for _, f := range p.Fields {
			out = append(out, pair{f.Name, f.Value})
		}
	}
	return out
}

// end writes an exchange's entry.
func (a *archive) end(n uint64, comment string) {
	r := a.running[n]
	delete(a.running, n)
	if r.up.head == nil && r.down.head == nil {
		return
	}
	entry := map[string]any{
		"startedDateTime": r.start.UTC().Format(time.RFC3339Nano),
		"time":            millis(r.last.Sub(r.start)),
		"request":         r.request(),
		"response":        r.response(),
		"cache":           map[string]any{},
		"timings":         r.timings(),
		"comment":         strings.TrimSpace(fmt.Sprintf("%s/%d, %s %s", a.session, n, r.rule, comment)),
	}
	b, err := json.Marshal(entry)
	if err != nil {
		a.err = errors.Join(a.err, err)
		return
	}
	comma := ""
	if a.some {
		comma = ","
	}
	a.some = true
	a.printf("%s\n%s", comma, b)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (r *running) timings() map[string]any {
	wait := r.last.Sub(r.start)
	if !r.down.began.IsZero() {
		wait = r.down.began.Sub(r.start)
	}
	return map[string]any{"send": 0, "wait": millis(wait), "receive": millis(r.last.Sub(r.start) - wait)}
}

func (r *running) request() map[string]any {
	method, target, version := r.asked.method, r.asked.target, "HTTP/1.1"
	host, query := r.asked.host, []pair{}
	if h := r.up.head; h != nil {
		part := strings.SplitN(h.Start, " ", 3)
		if len(part) == 3 {
			method, target, version = part[0], part[1], part[2]
		}
		host = h.Get("host")
	}
	if _, q, ok := strings.Cut(target, "?"); ok {
		for p := range strings.SplitSeq(q, "&") {
			name, value, _ := strings.Cut(p, "=")
			query = append(query, pair{unescape(name), unescape(value)})
		}
	}
	out := map[string]any{"method": method, "url": "http://" + host + target, "httpVersion": version, "cookies": []pair{},
		"headers": pairs(r.up.head), "queryString": query, "headersSize": -1, "bodySize": r.up.bytes}
	if r.up.bytes > 0 {
		text, encoding := bodyText(r.up.body)
		post := map[string]any{"mimeType": r.up.get("content-type"), "text": text, "comment": r.up.note()}
		if encoding != "" {
			post["encoding"] = encoding
		}
		out["postData"] = post
	}
	return out
}

func unescape(s string) string {
	if v, err := url.QueryUnescape(s); err == nil {
		return v
	}
	return s
}

func (r *running) response() map[string]any {
	status, version, text := 0, "HTTP/1.1", ""
	if h := r.down.head; h != nil {
		part := strings.SplitN(h.Start, " ", 3)
		if len(part) > 1 {
			version = part[0]
			status, _ = strconv.Atoi(part[1])
		}
		if len(part) > 2 {
			text = part[2]
		}
	}
	body, encoding := bodyText(r.down.body)
	content := map[string]any{"size": r.down.bytes, "mimeType": r.down.get("content-type"), "text": body, "comment": r.down.note()}
	if encoding != "" {
		content["encoding"] = encoding
	}
	return map[string]any{"status": status, "statusText": text, "httpVersion": version, "cookies": []pair{}, "headers": pairs(r.down.head),
		"content": content, "redirectURL": r.down.get("location"), "headersSize": -1, "bodySize": r.down.bytes}
}

func (s *side) get(name string) string {
	if s.head == nil {
		return ""
	}
	return s.head.Get(name)
}

// note says when a body is not whole.
func (s *side) note() string {
	if s.cut != nil {
		return fmt.Sprintf("truncated: %d of %d bytes are recorded, SHA-256 of the whole %s", s.cut.Recorded, s.cut.Bytes, s.cut.SHA256)
	}
	if int64(len(s.body)) < s.bytes {
		return fmt.Sprintf("truncated: %d of %d bytes are in this file", len(s.body), s.bytes)
	}
	return ""
}

func bodyText(b []byte) (text, encoding string) {
	if utf8.Valid(b) {
		return string(b), ""
	}
	return base64.StdEncoding.EncodeToString(b), "base64"
}
