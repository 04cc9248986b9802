package content

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Bounds of what is decoded of one body.
const (
	maxMessages = 500
	maxDecoded  = 1 << 20
	maxDump     = 4 << 10
)

// Head is what a message's head says of its body.
type Head struct {
	Type         string // Content-Type
	Encoding     string // Content-Encoding
	GRPCEncoding string // Grpc-Encoding
	// Cut says that b is only the beginning of the body.
	Cut bool
}

// Message is one of those in a body: an event, a gRPC message, a frame, a line.
type Message struct {
	Title string
	Spans []Span
}

// Body is a body in readable form: Spans, or Messages when it is made of several.
type Body struct {
	Form     string // what it was taken for: "JSON", "events" …
	Notes    []string
	Spans    []Span
	Messages []Message
}

// Read makes a body readable.
func (m Marks) Read(h Head, b []byte) Body {
	var out Body
	plain, coded, err := decode(h.Encoding, b)
	switch {
	case err != nil && !(h.Cut && len(plain) > 0):
		out.note("Its coding %s cannot be taken off: %v.", h.Encoding, err)
		out.Form, out.Spans = "bytes", dump(b)
		return out
	case coded:
		out.note("Sent as %s, shown without.", h.Encoding)
	}
	t, _, _ := mime.ParseMediaType(h.Type)
	m.read(&out, t, h, plain)
	return out
}

func (o *Body) note(format string, args ...any) {
	o.Notes = append(o.Notes, fmt.Sprintf(format, args...))
}

func (m Marks) read(out *Body, t string, h Head, b []byte) {
	switch {
	case len(b) == 0:
	case t == "text/event-stream":
		out.Form, out.Messages = "events", m.events(b)
	case strings.HasPrefix(t, "application/grpc"):
		out.Form, out.Messages = "gRPC", m.grpc(h, b)
	case t == "application/x-www-form-urlencoded":
		out.Form, out.Messages = "form", m.form(string(b))
	case !utf8.Valid(b) && !(h.Cut && utf8.Valid(b[:len(b)-partRune(b)])):
		out.Form, out.Spans = "bytes", dump(b)
	case strings.Contains(t, "json") || t == "" || looksLikeJSON(b):
		if out.Spans = m.JSON(b); out.Spans != nil {
			out.Form = "JSON"
			return
		}
		if m.lines(out, b) {
			return
		}
		fallthrough
	default:
		out.Form, out.Spans = "text", m.Text(string(b))
	}
	if len(out.Messages) >= maxMessages {
		out.note("More than %d are not taken apart; the exact bytes have them.", maxMessages)
	}
}

func looksLikeJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

// partRune is how many bytes at the end are a character that is cut off.
func partRune(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if utf8.RuneStart(b[len(b)-n]) {
			if utf8.FullRune(b[len(b)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}

// lines are several JSON documents, one after the other: lines of JSON, the events of a Kubernetes watch.
func (m Marks) lines(out *Body, b []byte) bool {
	list, rest := documents(b)
	if len(list) < 2 {
		return false
	}
	out.Form = "JSON documents"
	for i, one := range list {
		out.Messages = append(out.Messages, Message{Title: titleOf(i, one), Spans: m.JSON(one)})
	}
	if len(rest) > 0 && len(list) < maxMessages {
		out.Messages = append(out.Messages, Message{Title: "what follows", Spans: m.Text(string(rest))})
	}
	return true
}

func (m Marks) form(s string) (list []Message) {
	for pair := range strings.SplitSeq(s, "&") {
		if len(list) >= maxMessages {
			break
		}
		name, value, _ := strings.Cut(pair, "=")
		for _, p := range []*string{&name, &value} {
			if plain, err := url.QueryUnescape(*p); err == nil {
				*p = plain
			}
		}
		list = append(list, Message{Title: name, Spans: m.Field(name, value)})
	}
	return list
}

// events are those of an event stream, as the HTML standard cuts it (section 9.2).
func (m Marks) events(b []byte) (list []Message) {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(b))
	for block := range strings.SplitSeq(text, "\n\n") {
		if strings.Trim(block, "\n") == "" {
			continue
		}
		if len(list) >= maxMessages {
			break
		}
		list = append(list, m.event(strings.Trim(block, "\n")))
	}
	return list
}

func (m Marks) event(block string) Message {
	title, data := []string{}, []string{}
	for line := range strings.SplitSeq(block, "\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "data":
			data = append(data, value)
		case "":
			title = append(title, "comment: "+value)
		default:
			title = append(title, name+": "+value)
		}
	}
	if len(title) == 0 {
		title = append(title, "message")
	}
	all := strings.Join(data, "\n")
	one := Message{Title: strings.Join(title, ", "), Spans: m.JSON([]byte(all))}
	if one.Spans == nil {
		one.Spans = m.Text(all)
	}
	return one
}

// dump is the beginning of what is binary, as hexadump writes it.
func dump(b []byte) []Span {
	text := hex.Dump(b[:min(len(b), maxDump)])
	if len(b) > maxDump {
		text += fmt.Sprintf("… %d bytes in all\n", len(b))
	}
	return []Span{{Text: text}}
}
