package replay

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/record"
)

const indent = "    "

// textView writes a session as text.
type textView struct {
	w      *bufio.Writer
	proto  Protocol
	table  table
	action uint64 // that the output is about
}

func newText(w io.Writer, opt Options) *textView {
	bw := bufio.NewWriterSize(w, 32<<10)
	return &textView{w: bw, proto: raw{}, table: table{w: bw, indent: indent, max: opt.MaxRows}}
}

func (t *textView) end() error {
	return errors.Join(t.flush(), t.w.Flush())
}

// flush ends what is shown together.
func (t *textView) flush() error {
	t.table.finish()
	if f, ok := t.proto.(flusher); ok {
		return f.Flush(t.request)
	}
	return nil
}

func (t *textView) printf(format string, args ...any) { fmt.Fprintf(t.w, format, args...) }

func (t *textView) frame(f record.Frame) error {
	if f.Kind != record.KindResponse && f.Kind != record.KindRequest {
		if err := t.flush(); err != nil {
			return err
		}
	}
	var err error
	switch f.Kind {
	case record.KindOpen:
		show(t, f, t.open)
	case record.KindAction:
		show(t, f, t.decision)
	case record.KindRequest:
		err = t.proto.Request(f.Payload, t.request)
	case record.KindResponse:
		t.about(f)
		err = t.proto.Response(f.Payload, t.response)
	case record.KindHold:
		show(t, f, t.hold)
	case record.KindResult:
		show(t, f, t.result)
	case record.KindNote:
		show(t, f, t.note)
	case record.KindClose:
		show(t, f, t.close)
	default:
		t.printf("%s  frame of kind %d, %d bytes\n", clock(f.Time), f.Kind, len(f.Payload))
	}
	if err != nil {
		return err
	}
	return t.w.Flush()
}

// maxRaw is how much is shown of a payload that does not decode.
const maxRaw = 4096

// show decodes a JSON payload; one that does not decode is shown as it is.
func show[T any](t *textView, f record.Frame, with func(record.Frame, T)) {
	var v T
	if err := json.Unmarshal(f.Payload, &v); err != nil {
		t.printf("%s  %s frame that cannot be read: %s\n", clock(f.Time), kindName(f.Kind), data(f.Payload[:min(len(f.Payload), maxRaw)]))
		return
	}
	with(f, v)
}

func clock(at time.Time) string { return at.UTC().Format("15:04:05.000") }

func (t *textView) open(f record.Frame, o record.Open) {
	t.proto = newProtocol(o.Target.Protocol)
	t.printf("session  %s on %s (%s), node %s\n", line(o.Session.ID), line(o.Target.Name), line(o.Target.Protocol), line(o.Node))
	t.printf("identity %s", line(o.Identity.Chain()))
	if len(o.Identity.Groups) > 0 {
		t.printf(", groups %s", line(strings.Join(o.Identity.Groups, " ")))
	}
	t.printf(", by %s of %s\n", line(o.Identity.Method), line(o.Identity.Issuer))
	t.printf("client   %s", line(o.Session.Client))
	for _, p := range [][2]string{{"application", o.Session.Application}, {"database", o.Session.Database}, {"user", o.Session.User}} {
		if p[1] != "" {
			t.printf(", %s %s", p[0], line(p[1]))
		}
	}
	t.printf("\nopened   %s UTC, %s\n\n", f.Time.UTC().Format("2006-01-02 15:04:05.000"), verdict(o.Decision.Verdict.String(), o.Decision.Rule, o.Decision.Reason))
}

func verdict(v, rule, reason string) string {
	s := v
	if rule != "" {
		s += " by rule " + line(rule)
	}
	if reason != "" {
		s += ": " + line(reason)
	}
	return s
}

func (t *textView) decision(f record.Frame, p record.ActionPayload) {
	t.action = f.Action
	t.printf("%s  #%d %s\n", clock(f.Time), f.Action, verdict(p.Decision.Verdict.String(), p.Decision.Rule, p.Decision.Reason))
	t.printf("%s%s\n", indent, strings.ReplaceAll(lines(p.Action.Text), "\n", "\n"+indent))
	for i, v := range p.Action.Params {
		t.printf("%s$%d = %s\n", indent, i+1, param(v))
	}
}

func param(p action.Param) string {
	switch {
	case p.Null:
		return "NULL"
	case p.Encoding != "":
		return line(p.Encoding) + " " + line(p.Value)
	}
	return "'" + line(p.Value) + "'"
}

// about names the action when the output goes over to another one's answer.
func (t *textView) about(f record.Frame) {
	if f.Action != t.action && f.Action != 0 {
		t.table.finish()
		t.action = f.Action
		t.printf("%s  #%d answers\n", clock(f.Time), f.Action)
	}
}

// request shows only what the actions do not: bulk data.
func (t *textView) request(e Event) error {
	if e.Lines != nil {
		t.lines(e.Lines)
		return nil
	}
	if e.Data != nil {
		t.table.finish()
		t.printf("%s> %s\n", indent, data(e.Data))
	}
	return nil
}

func (t *textView) lines(list []string) {
	t.table.finish()
	for _, l := range list {
		t.printf("%s%s\n", indent, line(l))
	}
}

func data(b []byte) string {
	v := bytesValue(b)
	if v.Hex {
		return `\x` + v.Text
	}
	return line(strings.TrimSuffix(v.Text, "\n"))
}

func (t *textView) response(e Event) error {
	if e.Columns != nil {
		t.table.finish()
		t.table.begin(e.Columns)
	}
	switch {
	case e.Lines != nil:
		t.lines(e.Lines)
	case e.Row != nil:
		t.table.row(e.Row)
	case e.Done != nil:
		t.table.finish()
		t.printf("%s%s\n", indent, line(*e.Done))
	case e.Report != nil:
		t.table.finish()
		t.report(e.Report)
	case e.Data != nil:
		t.table.finish()
		t.printf("%s%s\n", indent, data(e.Data))
	case strings.HasPrefix(e.Message, "long") || strings.HasPrefix(e.Message, "undecoded"):
		t.printf("%s(%s)\n", indent, line(e.Message))
	case e.Message == "PortalSuspended":
		t.table.finish()
	}
	return nil
}

func (t *textView) report(r *Report) {
	t.printf("%s%s %s: %s\n", indent, line(r.Severity), line(r.Code), line(r.Message))
	if r.Detail != "" {
		t.printf("%sDETAIL: %s\n", indent, line(r.Detail))
	}
	if r.Hint != "" {
		t.printf("%sHINT: %s\n", indent, line(r.Hint))
	}
}

func (t *textView) hold(f record.Frame, h hold.Hold) {
	t.printf("%s  #%d hold %s is %s", clock(f.Time), f.Action, line(h.ID), line(string(h.State)))
	if h.Open() {
		t.printf(", until %s, for %s", clock(h.Deadline), line(strings.Join(h.Approvers, " ")))
	}
	t.printf("\n")
	for _, d := range h.Decisions {
		word := "denied"
		if d.Approve {
			word = "approved"
		}
		t.printf("%s%s by %s", indent, word, line(d.By.Chain()))
		if d.Group != "" {
			t.printf(" for %s", line(d.Group))
		}
		t.printf(" via %s at %s", line(d.Via), clock(d.At))
		if d.Reason != "" {
			t.printf(": %s", line(d.Reason))
		}
		t.printf("\n")
	}
}

func (t *textView) result(f record.Frame, r record.Result) {
	t.printf("%s  #%d %s", clock(f.Time), f.Action, line(r.Status))
	if r.Code != "" {
		t.printf(" %s", line(r.Code))
	}
	if r.Message != "" {
		t.printf(": %s", line(r.Message))
	}
	t.printf("  (%d rows, %d bytes, %d values masked, %s)\n\n", r.Rows, r.Bytes, r.Masked, r.Duration.Round(time.Microsecond))
}

func (t *textView) note(f record.Frame, n record.Note) {
	t.printf("%s  note: %s", clock(f.Time), line(n.What))
	if len(n.Detail) > 0 {
		if b, err := json.Marshal(n.Detail); err == nil {
			t.printf(" %s", line(string(b)))
		}
	}
	t.printf("\n")
}

func (t *textView) close(f record.Frame, c record.Close) {
	t.printf("%s  closed: %s", clock(f.Time), line(c.Reason))
	if c.Message != "" {
		t.printf(", %s", line(c.Message))
	}
	if f.Recovered {
		t.printf(" (written by recovery)")
	}
	t.printf("; %d actions, %d bytes, %s\n", c.Actions, c.Bytes, c.Duration.Round(time.Millisecond))
}
