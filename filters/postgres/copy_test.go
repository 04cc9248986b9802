package postgres

import (
	"bytes"
	"strings"
	"testing"
)

// TestCopyThatCannotBeMasked: a COPY whose masked columns could not be told apart is refused, with what to do in its
// place; the same of other columns runs, and the session goes on.
func TestCopyThatCannotBeMasked(t *testing.T) {
	do(t, direct(t), "drop table if exists sjis; create table sjis(id int, ssn text); insert into sjis values (1, '123-45-6789')")
	masks := `
- name: ssn
  columns: [public.sjis.ssn]
  way: hash
`
	g := start(t, bundle(t, guarded, masks))
	c := g.connect(t, "")
	for text, hint := range map[string]string{
		"copy sjis to stdout (encoding 'SJIS')":                      "ENCODING 'UTF8'",
		"copy sjis(ssn) to stdout (format csv, encoding 'big5')":     "ENCODING 'UTF8'",
		"copy (select ssn from sjis) to stdout (encoding 'GB18030')": "ENCODING 'UTF8'",
		"set client_encoding to 'SJIS'; copy sjis to stdout":         "SET client_encoding TO 'UTF8'",
		"copy sjis to stdout (null 'none')":                          "NULL option",
	} {
		do(t, c, "set client_encoding to 'UTF8'")
		if strings.HasPrefix(text, "set ") {
			set, rest, _ := strings.Cut(text, "; ")
			do(t, c, set)
			text = rest
		}
		var out bytes.Buffer
		_, err := c.PgConn().CopyTo(ctxT(t), &out, text)
		if pe := wantErr(t, err, "42501"); pe.Severity != "ERROR" || !strings.Contains(pe.Detail, "rule: "+ruleMaskedCopy+".") || !strings.Contains(pe.Hint, hint) || out.Len() > 0 {
			t.Errorf("%s: %+v %q", text, pe, out.String())
		}
	}
	do(t, c, "set client_encoding to 'UTF8'")
	for _, text := range []string{"copy sjis(id) to stdout (encoding 'SJIS')", "copy sjis to stdout (encoding 'LATIN1')", `copy sjis to stdout (null '\N')`, "copy sjis to stdout (format csv, null 'none')"} {
		var out bytes.Buffer
		if _, err := c.PgConn().CopyTo(ctxT(t), &out, text); err != nil || !strings.HasPrefix(out.String(), "1") || strings.Contains(out.String(), "6789") {
			t.Errorf("%s: %q, %v", text, out.String(), err)
		}
	}
}
