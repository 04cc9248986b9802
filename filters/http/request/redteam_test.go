package request

import (
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

// Names that readers without regard to case take for one are one here.
func TestFold(t *testing.T) {
	for _, doc := range []string{"{\"users\":1,\"u\u017Fers\":2}", "{\"token\":1,\"to\u212Aen\":2}", "{\"\u03C3\":1,\"\u03C2\":2}", "{\"a\":{\"S\":1,\"\\u017f\":2}}", "{\"\u00C9\":1,\"\u00E9\":2}"} {
		if _, err := Leaves([]byte(doc), 9, 9); err != ErrDuplicate {
			t.Errorf("%s: %v", doc, err)
		}
	}
	for in, want := range map[string]string{"Argument\u017F": "arguments", "tas\u212A": "task", "\u00C9": "\u00E9", "\u0130": "\u0130"} {
		if got := Fold(in); got != want && in != "\u0130" || got != Fold(got) {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// What form parsers read in different ways is not judged as if there were one.
func TestPartsReadInTwoWays(t *testing.T) {
	part := func(lines string) string { return "--x\r\n" + lines + "\r\n\r\nadmin\r\n--x--\r\n" }
	for _, lines := range []string{
		"Content-Disposition: form-data; name=\"role\"; name*=UTF-8''note",
		"Content-Disposition: form-data; name=\"role\"; name*0=\"note\"",
		"Content-Disposition: form-data; name=\"role\"; filename*=UTF-8''note",
		"Content-Disposition: form-data; name=\"ro\\\"le\"; Name*=UTF-8''note",
		"Content-Disposition: form-data; name=\"role\"\r\nContent-Type: text/plain; charset=utf-16",
		"Content-Disposition: form-data; name=\"role\"\r\nContent-Type: text/plain; charset=UTF-7",
		"Content-Disposition: form-data; name=\"role\"\r\nContent-Type: ;;",
	} {
		b := ReadBody("multipart/form-data; boundary=x", []byte(part(lines)), Limits{})
		if b.Features[action.FeatureOpaqueBody] == nil && b.Features[action.FeatureUnparsed] == nil {
			t.Errorf("%s: %+v", lines, b)
		}
	}
	for _, lines := range []string{"Content-Disposition: form-data; name=\"a*=b\"", "Content-Disposition: form-data; name=role\r\nContent-Type: text/plain; charset=UTF-8"} {
		if b := ReadBody("multipart/form-data; boundary=x", []byte(part(lines)), Limits{}); len(b.Fields) != 1 || b.Features[action.FeatureOpaqueBody] != nil {
			t.Errorf("%s: %+v", lines, b)
		}
	}
	b := ReadBody("application/x-www-form-urlencoded", []byte("_charset_=utf-7&role=+AGEAZABtAGkAbg-"), Limits{})
	if b.Features[action.FeatureAmbiguous] == nil {
		t.Errorf("%+v", b)
	}
	for _, name := range []string{"mcp-session-id", "last-event-id"} {
		if _, err := Parse(head("POST", "/mcp", name+": a", name+": b"), Limits{}); err == nil {
			t.Errorf("%s may be there twice", name)
		}
	}
}
