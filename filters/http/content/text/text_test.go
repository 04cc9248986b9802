package text

import (
	"bytes"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/mask"
)

func plan(t testing.TB, detectors ...string) *mask.Plan {
	t.Helper()
	p, err := mask.Compile([]mask.Spec{{Name: "d", Detectors: detectors}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t testing.TB, m *Masker, in string, piece int) string {
	t.Helper()
	var out []byte
	var err error
	for b := []byte(in); len(b) > 0 && err == nil; {
		n := min(piece, len(b))
		out, err = m.Write(out, bytes.Clone(b[:n]))
		b = b[n:]
	}
	if err == nil {
		out, err = m.Close(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestMarkup(t *testing.T) {
	p := plan(t, "email", "card")
	for in, want := range map[string]string{
		`<p>alice@example.com</p>`:                             `<p>[redacted]</p>`,
		`<p>alice&#64;example.com</p>`:                         `<p>[redacted]</p>`,
		`<p>alice&#x40;example&#46;com</p>`:                    `<p>[redacted]</p>`,
		`<p>alice&commat;example&period;com.</p>`:              `<p>[redacted].</p>`,
		`<p>al<b>ice@exam</b>ple.com</p>`:                      `<p>[redacted]<b></b></p>`,
		`<x>alice@exam<!-- no -->ple.com</x>`:                  `<x>[redacted]<!-- no --></x>`,
		`<x><![CDATA[alice@example.com]]></x>`:                 `<x><![CDATA[[redacted]]]></x>`,
		`<x>4111<wbr>1111<wbr>1111<wbr>1111</x>`:               `<x>[redacted]<wbr><wbr><wbr></x>`,
		`<p>a &lt; b &amp; c</p>`:                              `<p>a &lt; b &amp; c</p>`,
		`<a href="mailto:alice%40example.com">x</a>`:           `<a href="mailto:[redacted]">x</a>`,
		`<script>x = "alice\u0040example\x2ecom"</script>`:     `<script>x = "[redacted]"</script>`,
		`<p>&#97;&#108;ice&#64;example&#46;c&#111;&#109;!</p>`: `<p>[redacted]!</p>`,
	} {
		for _, piece := range []int{1, 1000} {
			if got := run(t, NewMarkup(p), in, piece); got != want {
				t.Errorf("%s\nbecame %s\nnot    %s", in, got, want)
			}
		}
	}
}

// Wherever a value lies with regard to the window, and in whatever pieces it comes, it is found.
func TestWindow(t *testing.T) {
	p := plan(t, "email", "card", "jwt", "api_key")
	values := []string{"alice@example.com", "4111 1111 1111 1111", "AKIAIOSFODNN7EXAMPLE",
		"eyJhbGciOiJIUzI1NiJ9." + strings.Repeat("a1b2", 2000) + ".c2lnbmF0dXJl",
		"-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat("MIIEow\n", 1500) + "-----END RSA PRIVATE KEY-----"}
	for _, v := range values {
		for _, at := range []int{window - ahead - 10, window - ahead, window - 20, window - 5, window, window + 3, 2*window - ahead - 15, 3 * window} {
			in := strings.Repeat("lorem ipsum ", at/12+1)[:at] + " " + v + " dolor " + v + "\nsit amet"
			want := strings.ReplaceAll(in, v, "[redacted]")
			for _, piece := range []int{997, 1 << 20} {
				if got := run(t, New(p), in, piece); got != want {
					t.Fatalf("%.20s at %d: %d bytes became %d, want %d: …%.60s", v, at, len(in), len(got), len(want), got[max(0, len(got)-60):])
				}
			}
		}
	}
}

// A value that is longer than what can be held is hidden to its end.
func TestLong(t *testing.T) {
	p := plan(t, "jwt", "api_key")
	for _, v := range []string{"eyJhbGciOiJIUzI1NiJ9." + strings.Repeat("a1b2", 2000) + "." + strings.Repeat("a1b2", 60000),
		"-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat("MIIEow\n", 30000) + "-----END RSA PRIVATE KEY-----"} {
		got := run(t, New(p), strings.Repeat("x", 40000)+" token "+v+"\nend\n", 4096)[39999:]
		if len(got) > 100 || strings.Contains(got, "a1b2") || strings.Contains(got, "MIIE") || !strings.HasSuffix(got, "end\n") {
			t.Errorf("%.300q", got)
		}
	}
}

func TestFlush(t *testing.T) {
	m := New(plan(t, "email"))
	out, _ := m.Write(nil, []byte("hello bob@example.com\nand ali"))
	out, err := m.Flush(out)
	if err != nil || string(out) != "hello [redacted]\n" {
		t.Fatalf("%q %v", out, err)
	}
	out, _ = m.Write(out[:0], []byte("ce@example.com"))
	out, _ = m.Close(out)
	if string(out) != "and [redacted]" {
		t.Errorf("%q", out)
	}
}

// A key that comes line by line, each flushed, is hidden whole, and what follows it comes.
func TestFlushWithinKey(t *testing.T) {
	for _, lines := range []int{1, 40, 3000} {
		key := "-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat("MIIEow\n", lines) + "-----END RSA PRIVATE KEY-----\n"
		m := New(plan(t, "api_key"))
		var out []byte
		var err error
		for line := range strings.SplitAfterSeq("before\n"+key+"after\n", "\n") {
			if out, err = m.Write(out, []byte(line)); err != nil {
				t.Fatal(err)
			}
			if out, err = m.Flush(out); err != nil {
				t.Fatal(err)
			}
		}
		if out, err = m.Close(out); err != nil || string(out) != "before\n[redacted]\nafter\n" {
			t.Errorf("%d lines: %.200q %v", lines, out, err)
		}
	}
}

func TestCharsets(t *testing.T) {
	for _, in := range []string{"\xFF\xFEa", "\xFE\xFFa", "a\x00b\x00"} {
		if _, err := New(plan(t, "email")).Write(nil, []byte(in)); err == nil {
			t.Errorf("%q passes", in)
		}
	}
}

func FuzzText(f *testing.F) {
	p := plan(f, "email", "card", "phone", "api_key", "iban", "us_ssn", "jwt")
	for _, s := range []string{"alice@example.com", "<p>a&#64;b.example</p>", "&amp;&#x3c;<b>x</b>]]>", "+49 30 1234567 password: hunter2hunter2Hunter9"} {
		f.Add(s, 3, false)
		f.Add(s, 1, true)
	}
	f.Fuzz(func(t *testing.T, s string, piece int, markup bool) {
		if strings.Contains(s, "\x00") || strings.HasPrefix(s, "\xFE\xFF") || strings.HasPrefix(s, "\xFF\xFE") {
			return
		}
		m := func() *Masker { return &Masker{plan: p, markup: markup} }
		whole, parts := run(t, m(), s, len(s)+1), run(t, m(), s, 1+(piece&15))
		if whole != parts {
			t.Fatalf("in pieces it differs: %q, %q", whole, parts)
		}
		if !markup && !strings.Contains(s, `\`) {
			if want, _ := p.Scrub(nil, []byte(s)); whole != string(want) {
				t.Fatalf("%q became %q, at once %q", s, whole, want)
			}
		}
	})
}
