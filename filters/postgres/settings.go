package postgres

import (
	"strings"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// A startup message can set what SET sets: as a parameter of its own, or within
// "options". Policy judges it as the SET that it is.

// plainSettings are those that drivers send of their own accord, and that change no more than how values look.
var plainSettings = map[string]bool{"client_encoding": true, "datestyle": true, "timezone": true, "intervalstyle": true,
	"extra_float_digits": true}

// judgeSettings judges the settings of the startup message; the report says what is refused.
func (c *conn) judgeSettings() (wire.Report, bool) {
	for _, p := range c.startup.Params {
		list := []wire.Param{p}
		switch {
		case p.Name == "user" || p.Name == "database" || p.Name == "application_name" || p.Name == "replication" || strings.HasPrefix(p.Name, "_pq_."):
			continue
		case p.Name == "options":
			var ok bool
			if list, ok = splitOptions(p.Value); !ok {
				return fatal(codeRejected, "options other than -c name=value are refused", "rule: startup_options.", "Set them after connecting."), false
			}
		}
		for _, s := range list {
			if rep, ok := c.judgeSetting(strings.ToLower(s.Name), s.Value); !ok {
				return rep, false
			}
		}
	}
	return wire.Report{}, true
}

func (c *conn) judgeSetting(name, value string) (wire.Report, bool) {
	if plainSettings[name] {
		return wire.Report{}, true
	}
	text := `SET "` + strings.ReplaceAll(name, `"`, `""`) + `" TO '` + strings.ReplaceAll(value, "'", "''") + "'"
	list, err := c.t.analyzer.Analyze(text, pgsql.Env{Strings: true})
	if err != nil || len(list) != 1 {
		return fatal(codeRejected, "a setting of the startup message cannot be understood", "rule: startup_options.", ""), false
	}
	j := c.decide(list[0], moment{})
	if j.d.Verdict == policy.Allow {
		c.announce(j)
		c.finish(&run{judged: j, started: c.now().UnixNano()}, "ok", "", "", "")
		return wire.Report{}, true
	}
	rep := fatal(codeRejected, "the setting "+name+" of the startup message is refused by policy", statement.Because(&j.d), statement.Hint(&j.d))
	c.refused(j, "blocked", rep)
	return rep, false
}

// splitOptions takes "options" apart as the server does: at blanks, with a backslash before what is meant literally.
func splitOptions(s string) ([]wire.Param, bool) {
	var words []string
	var word []byte
	in := false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == ' ' || ch >= '\t' && ch <= '\r':
			if in {
				words = append(words, string(word))
			}
			word, in = nil, false
			continue
		case ch == '\\' && i+1 < len(s):
			i++
		}
		word, in = append(word, s[i]), true
	}
	if in {
		words = append(words, string(word))
	}
	var out []wire.Param
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"), strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return nil, false
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, false
		}
		out = append(out, wire.Param{Name: strings.ReplaceAll(name, "-", "_"), Value: value})
	}
	return out, true
}
