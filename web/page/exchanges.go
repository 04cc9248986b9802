package page

import (
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/exchange"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/page/content"
)

// maxRead bounds what of a body is kept to make it readable; maxPiece is how much of the exact text is shown at a time.
const (
	maxRead  = 1 << 20
	maxPiece = 64 << 10
)

// sides of an exchange.
const (
	sideRequest  = "request"
	sideResponse = "response"
)

// fieldLine is a header field as it was sent or delivered.
type fieldLine struct {
	Name  string
	Value []content.Span
}

// half is one direction of an exchange.
type half struct {
	Side     string
	Start    string
	Fields   []fieldLine
	Trailers []fieldLine
	Size     int64 // of the body in the record
	Cut      *exchange.Cut
	Body     content.Body
	Exact    string // the beginning of the body, byte by byte
	YAML     string // of an object of Kubernetes

	part exchange.Part
	kept []byte
}

// wsLine is a frame of a WebSocket.
type wsLine struct {
	Time time.Time
	From string // "agent" or "target"
	content.Message
}

// call is one of an API server.
type call struct {
	*kube.Call
	As []fieldLine // who was impersonated
}

// exchangeView is an HTTP request with its answer.
type exchangeView struct {
	Request, Response half
	Frames            []wsLine
	FramesCut         bool
	Tools             []content.Call
	Kube              *call

	marks    content.Marks
	up, down *content.Frames
}

func newExchange(a *record.ActionPayload) *exchangeView {
	x := &exchangeView{Request: half{Side: sideRequest}, Response: half{Side: sideResponse}}
	if a != nil {
		x.marks = content.NewMarks(a.Decision.Mask)
	}
	return x
}

// add takes a frame; false says that it is not of HTTP.
func (x *exchangeView) add(f record.Frame) bool {
	p, err := exchange.Decode(f.Payload)
	if err != nil {
		return false
	}
	h, from := &x.Request, "agent"
	if f.Kind == record.KindResponse {
		h, from = &x.Response, "target"
	}
	switch p.Kind {
	case exchange.KindHead: // of several the last counts: others are interim
		h.Start, h.Fields, h.part = p.Start, x.lines(p.Fields), p
		x.upgrade(from)
	case exchange.KindTrailers:
		h.Trailers = x.lines(p.Fields)
	case exchange.KindCut:
		h.Cut = p.Cut
	default:
		h.Size += int64(len(p.Body))
		if x.up != nil {
			x.frames(f.Time, from, p.Body)
		} else if room := maxRead - len(h.kept); room > 0 {
			h.kept = append(h.kept, p.Body[:min(len(p.Body), room)]...)
		}
	}
	return true
}

func (x *exchangeView) lines(list []exchange.Field) []fieldLine {
	out := make([]fieldLine, len(list))
	for i, f := range list {
		out[i] = fieldLine{f.Name, x.marks.Field(f.Name, f.Value)}
	}
	return out
}

// upgrade begins to read frames when the target has switched to a WebSocket. Over HTTP/2 it is 200 to an extended CONNECT.
func (x *exchangeView) upgrade(from string) {
	ask, answer := &x.Request.part, &x.Response.part
	asked := strings.EqualFold(ask.Get("upgrade"), "websocket") || ask.Get("sec-websocket-version") != ""
	if from != "target" || !asked || !strings.Contains(answer.Start, " 101") && !strings.Contains(answer.Start, " 200") {
		return
	}
	packed := strings.Contains(answer.Get("sec-websocket-extensions"), "permessage-deflate")
	x.up = &content.Frames{Marks: x.marks, Deflate: packed}
	x.down = &content.Frames{Marks: x.marks, Deflate: packed}
	if x.Request.kept != nil { // sent before the answer was there
		x.frames(time.Time{}, "agent", x.Request.kept)
		x.Request.kept = nil
	}
}

func (x *exchangeView) frames(at time.Time, from string, b []byte) {
	f := x.down
	if from == "agent" {
		f = x.up
	}
	for _, m := range f.Add(b) {
		if len(x.Frames) >= maxRows {
			x.FramesCut = true
			return
		}
		x.Frames = append(x.Frames, wsLine{at, from, m})
	}
}

// finish makes what was collected readable.
func (x *exchangeView) finish(a *record.ActionPayload) {
	for _, h := range []*half{&x.Request, &x.Response} {
		head := content.Head{Type: h.part.Get("content-type"), Encoding: h.part.Get("content-encoding"), GRPCEncoding: h.part.Get("grpc-encoding"),
			Cut: h.Cut != nil || h.Size > int64(len(h.kept))}
		h.Body = x.marks.Read(head, h.kept)
		h.Exact = string(h.kept[:min(len(h.kept), maxPiece)])
	}
	if a == nil {
		return
	}
	switch a.Action.Kind {
	case action.KindMCPTool, action.KindMCP:
		x.Tools = x.marks.Calls(x.Request.kept, x.Response.kept, x.Response.Body.Form == "events")
	case action.KindKube:
		x.kube(&a.Action)
	}
}

// kube reads the call out of the request line that was judged.
func (x *exchangeView) kube(a *action.Action) {
	method, target, _ := strings.Cut(a.Text, " ")
	path, query, _ := strings.Cut(target, "?")
	c, err := kube.ParseCall(method, path, query)
	if err != nil {
		return
	}
	x.Kube = &call{Call: c}
	for _, f := range x.Request.Fields {
		if strings.HasPrefix(strings.ToLower(f.Name), "impersonate-") {
			x.Kube.As = append(x.Kube.As, f)
		}
	}
	for _, h := range []*half{&x.Request, &x.Response} {
		if h.Body.Form != "JSON" || h.part.Get("content-encoding") != "" {
			continue
		}
		if y, err := yaml.JSONToYAML(h.kept); err == nil {
			h.YAML = string(y)
		}
	}
}

// More reports whether the record has more of the body than is shown, Next where that begins.
func (h *half) More() bool { return h.Size > int64(len(h.Exact)) }

// Next is where the next piece begins.
func (h *half) Next() int { return len(h.Exact) }

// Halves are both directions.
func (x *exchangeView) Halves() []*half { return []*half{&x.Request, &x.Response} }
