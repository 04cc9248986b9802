package content

import (
	"bytes"
	"strings"

	"dragoman.dev/dragoman/filters/http/content/form"
	"dragoman.dev/dragoman/filters/http/content/grpc"
	"dragoman.dev/dragoman/filters/http/content/jsonbody"
	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/filters/http/content/multipart"
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/filters/http/content/sse"
	"dragoman.dev/dragoman/filters/http/content/text"
	"dragoman.dev/dragoman/internal/mask"
)

// chooser finds what masks a body.
type chooser struct {
	plan *mask.Plan
	lim  Limits
	grpc string
}

// masker is nil when the body passes as it is. nested is how deep multipart may still go.
func (c *chooser) masker(t mediaType, nested int) (layer.Masker, error) {
	if !c.plan.HasJSON() && !c.plan.HasText() && t.kind != kindForm && t.kind != kindMultipart {
		return nil, nil // fields only: there are none in such a body
	}
	if !charsetOK(t) {
		return nil, refusal.New(refusal.Charset, "content in this character encoding cannot be looked into")
	}
	switch t.kind {
	case kindJSON, kindLines: // watches send one document after another as application/json, too
		return jsonbody.NewLines(c.plan, c.lim.json()), nil
	case kindEvents:
		return sse.NewMasker(c.plan, c.lim.Event, c.lim.json()), nil
	case kindGRPC:
		return c.grpcMasker(t)
	case kindForm:
		if !c.plan.PassText() {
			return nil, noJSON()
		}
		return form.New(c.plan, c.lim.Value), nil
	case kindMultipart:
		if nested == 0 {
			return nil, refusal.New(refusal.TooLarge, "multipart bodies are nested too deep")
		}
		return multipart.New(c.plan, t.params["boundary"], func(p multipart.Part) (layer.Masker, error) {
			return c.part(p, nested-1)
		})
	}
	return &sniffer{c: c, kind: t.kind}, nil
}

func (c *chooser) grpcMasker(t mediaType) (layer.Masker, error) {
	switch {
	case c.plan.HasJSON() && !c.plan.PassText():
		return nil, refusal.New(refusal.Opaque, "gRPC messages have no JSON paths")
	case !c.plan.HasText():
		return nil, nil
	}
	return grpc.NewMasker(c.plan, c.grpc, c.lim.Message)
}

func (c *chooser) part(p multipart.Part, nested int) (layer.Masker, error) {
	name := p.Type
	if name == "" {
		name = "text/plain"
	}
	t := parseType(name)
	if t.name == "multipart/byteranges" || strings.HasPrefix(t.name, "message/") {
		return nil, refusal.New(refusal.Partial, "a part of the multipart body cannot be looked into")
	}
	m, err := c.masker(t, nested)
	if m == nil && err == nil {
		m = asIs{}
	}
	return m, err
}

func noJSON() error {
	return refusal.New(refusal.Opaque, "the content is not JSON, and masks name JSON paths")
}

// charsetOK reports whether the character encoding has ASCII in it as it is, with
// nothing else that looks like it; JSON is always UTF-8.
func charsetOK(t mediaType) bool {
	if t.kind == kindOpaque || t.kind == kindSealed || t.kind == kindGRPC || t.kind == kindMultipart {
		return true
	}
	return plainCharset(t.charset) && (t.kind != kindJSON && t.kind != kindLines || isUTF8(t.charset))
}

func isUTF8(name string) bool {
	return name == "" || name == "utf-8" || name == "utf8" || name == "us-ascii" || name == "ascii"
}

func plainCharset(name string) bool {
	return isUTF8(name) || strings.HasPrefix(name, "iso-8859-") || strings.HasPrefix(name, "windows-125") || name == "latin1"
}

// asIs lets everything pass.
type asIs struct{}

func (asIs) Write(dst, piece []byte) ([]byte, error) { return append(dst, piece...), nil }
func (asIs) Close(dst []byte) ([]byte, error)        { return dst, nil }
func (asIs) Masked() int                             { return 0 }

// Bytes that are looked at to find out what a body is.
const (
	lookBinary = 512
	lookMarkup = 1024
)

// sniffer looks at the first bytes of a body before it decides what masks it:
// JSON is JSON whatever its type says, and text is not an image.
type sniffer struct {
	c    *chooser
	kind kind
	head []byte
	then layer.Masker
	err  error
}

func (s *sniffer) Masked() int {
	if s.then == nil {
		return 0
	}
	return s.then.Masked()
}

func (s *sniffer) Write(dst, piece []byte) ([]byte, error) {
	if s.err != nil {
		return dst, s.err
	}
	if s.then == nil {
		s.head = append(s.head, piece...)
		if !s.enough() {
			return dst, nil
		}
		return s.decide(dst)
	}
	return s.then.Write(dst, piece)
}

// enough reports whether there is enough to decide, however the body was cut.
func (s *sniffer) enough() bool {
	if s.kind == kindText {
		// Of a text, the first character tells, unless it is a bracket.
		if c := content(s.head); len(c) > 3 && c[0] != '{' && c[0] != '[' {
			return true
		}
	}
	look := lookBinary
	if s.kind == kindMarkup {
		look = lookMarkup
	}
	return len(s.head) >= look
}

// content is a text without what may stand before it.
func content(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF")), " \t\r\n")
}

func (s *sniffer) decide(dst []byte) ([]byte, error) {
	if s.then, s.err = s.choose(); s.err != nil {
		return dst, s.err
	}
	dst, s.err = s.then.Write(dst, s.head)
	s.head = nil
	return dst, s.err
}

func (s *sniffer) choose() (layer.Masker, error) {
	plan, first := s.c.plan, content(s.head)
	isText := s.kind != kindSealed && (s.kind != kindOpaque || looksText(s.head))
	switch {
	case len(s.head) == 0:
		return asIs{}, nil
	case isText && jsonbody.Looks(first), isText && !plan.PassText() && len(first) > 0 && (first[0] == '{' || first[0] == '['):
		return jsonbody.NewLines(plan, s.c.lim.json()), nil
	case !isText && plan.PassOpaque():
		return asIs{}, nil
	case !isText:
		return nil, refusal.New(refusal.Opaque, "content of this type cannot be looked into")
	case !plan.PassText():
		return nil, noJSON()
	case s.kind == kindMarkup || len(first) > 0 && first[0] == '<':
		if name := declared(s.head[:min(len(s.head), lookMarkup)]); !plainCharset(name) {
			return nil, refusal.New(refusal.Charset, "content in this character encoding cannot be looked into")
		}
		return text.NewMarkup(plan), nil
	}
	if s.kind == kindOpaque {
		return text.NewStrict(plan), nil
	}
	return text.New(plan), nil
}

// looksText reports whether the first bytes can be text that is to be read as it is.
func looksText(b []byte) bool {
	for _, magic := range []string{"%PDF-", "%!PS", "{\\rtf"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return false
		}
	}
	for _, c := range b[:min(len(b), lookBinary)] {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1B {
			return false
		}
	}
	return true
}

// declared is the encoding that an XML declaration or a meta element names, in lower case.
func declared(b []byte) string {
	b = bytes.ToLower(b)
	for _, key := range []string{"encoding=", "charset="} {
		i := bytes.Index(b, []byte(key))
		if i < 0 {
			continue
		}
		rest := bytes.TrimLeft(b[i+len(key):], "\"' ")
		if end := bytes.IndexAny(rest, "\"' />?;"); end > 0 {
			return string(rest[:end])
		}
	}
	return ""
}

// Flush gives out nothing as long as it is not known what the body is: a few bytes may be many things.
func (s *sniffer) Flush(dst []byte) ([]byte, error) {
	if s.err != nil {
		return dst, s.err
	}
	if f, ok := s.then.(layer.Flusher); ok {
		return f.Flush(dst)
	}
	return dst, nil
}

func (s *sniffer) Close(dst []byte) ([]byte, error) {
	if s.err == nil && s.then == nil {
		var err error
		if dst, err = s.decide(dst); err != nil {
			return dst, err
		}
	}
	if s.err != nil {
		return dst, s.err
	}
	return s.then.Close(dst)
}
