package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/internal/action"
)

// Body is a request's body as far as policy sees it.
type Body struct {
	// Fields are leaves: "user/role" of {"user": {"role": …}}, "items/0/id"; "/" and "~" in a
	// name are "~1" and "~0" (RFC 6901).
	Fields []Pair
	// Features: "body" (json, form, multipart, opaque, empty) and what is odd.
	Features map[string]any
}

// TooLarge is the body of which more came than Limits.Body, or than was waited for.
func TooLarge() *Body {
	return &Body{Features: map[string]any{"body": "opaque", action.FeatureBodyTooLarge: true}}
}

// ReadCodedBody is ReadBody for a body with a Content-Encoding, which is the header's value: codings that are known are
// undone first, as far as the body is then no larger than Limits.Body.
func ReadCodedBody(contentType, contentEncoding string, body []byte, lim Limits) *Body {
	names, err := coding.Parse(contentEncoding)
	if err == nil && len(names) == 0 || len(body) == 0 {
		return ReadBody(contentType, body, lim)
	}
	b := &Body{Features: map[string]any{}}
	var plain []byte
	if err == nil {
		d := coding.NewDecoder(names, 0)
		defer d.Abort()
		sink := func(p []byte) error {
			if plain = append(plain, p...); len(plain) > lim.BodyLimit() {
				return ErrMany
			}
			return nil
		}
		if err = d.Write(body, sink); err == nil {
			err = d.Close(sink)
		}
	}
	switch {
	case err == nil:
		return ReadBody(contentType, plain, lim)
	case errors.Is(err, ErrMany):
		return TooLarge()
	}
	b.set("opaque", action.FeatureUnparsed)
	return b
}

// ReadBody understands a whole body. contentType is the header's value. It
// never fails: what is not understood is a feature.
func ReadBody(contentType string, body []byte, lim Limits) *Body {
	lim = lim.withDefaults()
	b := &Body{Features: map[string]any{"body": "empty"}}
	switch {
	case len(body) == 0:
		return b
	case len(body) > lim.Body:
		return TooLarge()
	}
	name, params, err := mime.ParseMediaType(contentType)
	if err != nil && contentType != "" {
		b.ambiguous("content type that cannot be read")
	}
	charset := strings.ToLower(params["charset"])
	if charset != "" && charset != "utf-8" && charset != "us-ascii" {
		b.set("opaque", action.FeatureUnparsed)
		return b
	}
	first := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")), " \t\r\n")
	looksJSON := len(first) > 0 && (first[0] == '{' || first[0] == '[')
	switch {
	case isJSON(name), looksJSON && name != "application/x-www-form-urlencoded":
		// A target may take it for JSON whatever its type says.
		b.json(body, lim)
	case name == "application/x-www-form-urlencoded":
		b.form(body, lim)
		if looksJSON {
			b.ambiguous("JSON as a form")
		}
	case name == "multipart/form-data":
		b.multipart(body, params["boundary"], lim)
	case strings.HasPrefix(name, "multipart/"):
		b.set("multipart", action.FeatureOpaqueBody)
	default:
		b.set("opaque", action.FeatureOpaqueBody)
	}
	return b
}

func isJSON(name string) bool {
	return name == "application/json" || name == "text/json" || strings.HasSuffix(name, "+json")
}

func (b *Body) set(kind, feature string) {
	b.Features["body"], b.Features[feature] = kind, true
}

func (b *Body) ambiguous(what string) {
	if _, ok := b.Features[featureAmbiguous]; !ok {
		b.Features[featureAmbiguous] = what
	}
}

func (b *Body) form(body []byte, lim Limits) {
	b.Features["body"] = "form"
	pairs, what, ok := formPairs(string(body), lim.Params)
	if !ok {
		b.Features[action.FeatureBodyTooLarge] = true
		return
	}
	if what != "" {
		b.ambiguous("form: " + what)
	}
	b.Fields = pairs
	b.overrides()
}

// overrides notes fields that frameworks take for the method.
func (b *Body) overrides() {
	for _, p := range b.Fields {
		if strings.EqualFold(p.Name, "_charset_") && !strings.EqualFold(p.Value, "utf-8") {
			b.ambiguous("a form that names its character encoding")
		}
		if strings.EqualFold(p.Name, "_method") {
			b.Features[action.FeatureMethodOverride] = p.Value
		}
	}
}

func (b *Body) json(body []byte, lim Limits) {
	b.Features["body"] = "json"
	fields, err := Leaves(body, lim.Depth, lim.Params)
	switch err {
	case nil:
		b.Fields = fields
	case ErrMany:
		b.Features[action.FeatureBodyTooLarge] = true
	case ErrDuplicate:
		b.ambiguous("a name that is twice in a JSON object")
	default:
		b.Features[action.FeatureUnparsed] = true
	}
}

// leafError is why Leaves fails.
type leafError string

func (e leafError) Error() string { return string(e) }

// Errors of Leaves.
const (
	ErrMany      leafError = "the JSON has too many values, or is nested too deep"
	ErrDuplicate leafError = "a name is twice in an object"
	ErrNotJSON   leafError = "it is not JSON"
)

// Leaves gives all leaves of a JSON document with their paths (RFC 6901
// without the slash in front). A name that an object has twice, also with other case, is an error.
func Leaves(doc []byte, depth, limit int) ([]Pair, error) {
	if !utf8.Valid(doc) || !json.Valid(doc) {
		return nil, ErrNotJSON
	}
	l := &leaves{dec: json.NewDecoder(bytes.NewReader(doc)), depth: depth, limit: limit}
	l.dec.UseNumber()
	if err := l.value(""); err != nil {
		return nil, err
	}
	if _, err := l.dec.Token(); err != io.EOF {
		return nil, ErrNotJSON
	}
	return l.out, nil
}

type leaves struct {
	dec          *json.Decoder
	out          []Pair
	depth, limit int
}

func (l *leaves) value(path string) error {
	t, err := l.dec.Token()
	if err != nil {
		return ErrNotJSON
	}
	text := ""
	switch v := t.(type) {
	case json.Delim:
		if l.depth--; l.depth < 0 {
			return ErrMany
		}
		if v == '{' {
			err = l.object(path)
		} else {
			err = l.list(path)
		}
		l.depth++
		return err
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = strconv.FormatBool(v)
	case nil:
		text = "null"
	}
	if len(l.out) >= l.limit {
		return ErrMany
	}
	l.out = append(l.out, Pair{path, text})
	return nil
}

func (l *leaves) object(path string) error {
	seen := map[string]bool{}
	for l.dec.More() {
		t, err := l.dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return ErrNotJSON
		}
		folded := Fold(name)
		if seen[folded] {
			return ErrDuplicate
		}
		if len(seen) >= l.limit {
			return ErrMany
		}
		seen[folded] = true
		if err := l.value(join(path, pointerEscaper.Replace(name))); err != nil {
			return err
		}
	}
	_, err := l.dec.Token()
	return err
}

// Fold is a name in a form that is equal for all names that readers which do not regard case take for one: "\u017F" is
// another s for them, the Kelvin sign another k.
func Fold(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			return strings.Map(foldRune, name)
		}
	}
	return strings.ToLower(name)
}

// foldRune is the lower case of the first of all runes that are equal but for case.
func foldRune(r rune) rune {
	first := r
	for n := unicode.SimpleFold(r); n != r; n = unicode.SimpleFold(n) {
		first = min(first, n)
	}
	return unicode.ToLower(first)
}

func (l *leaves) list(path string) error {
	for i := 0; l.dec.More(); i++ {
		if err := l.value(join(path, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	_, err := l.dec.Token()
	return err
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}
