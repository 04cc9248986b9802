package postgres

import (
	"dragoman.dev/dragoman/filters/postgres/rows"
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

func newEnv(s snapshot, names *pgsql.Names, private bool) *env {
	return &env{catalog: s.catalog, names: names, gen: s.gen, version: s.version, private: private}
}

// analyze takes a text apart. A text that cannot be parsed is one statement of which nothing is
// known. wait says that a name was met that the catalog may have by now, and
// that the text is to be given again once it has been read.
func (c *conn) analyze(text string) (list []*sql.Statement, wait bool) {
	if list, wait = c.analyzeHere(text); wait {
		return nil, true
	}
	r := &c.relay
	if text == c.unresolved || r.open || r.tx == 'E' || c.nameless {
		return list, false
	}
	for _, st := range list {
		if !st.Action.Has(action.FeatureUnresolved) {
			continue
		}
		if c.db == nil || !c.db.look(c.now()) {
			return list, false
		}
		c.unresolved = text
		if c.env != nil && !c.env.private && r.tx == wire.TxIdle {
			c.db.giveBack()
		} else {
			c.stale = true
		}
		return list, c.settle(text)
	}
	return list, false
}

// analyzeHere is analyze with the names as they are known: at once, or for a long text aside.
func (c *conn) analyzeHere(text string) (list []*sql.Statement, wait bool) {
	if !c.readable(text) {
		return []*sql.Statement{unparsed(text)}, false
	}
	if len(text) > asideText {
		return c.analyzeAside(text)
	}
	list, err := c.t.analyzer.Analyze(text, c.env.analysis())
	if err != nil {
		return []*sql.Statement{unparsed(text)}, false
	}
	return list, false
}

// analysis is what a text is analysed against.
func (e *env) analysis() pgsql.Env {
	if e == nil || e.names == nil {
		return pgsql.Env{}
	}
	n := e.names
	return pgsql.Env{Catalog: e.catalog, Path: n.Path, User: n.User, Strings: n.Strings}
}

// readable reports whether the bytes mean to the server what they mean to us. Other encodings than ours make other
// names of the same bytes, and in a few of them a character's second byte can be a quote or a backslash.
func (c *conn) readable(text string) bool {
	ascii := true
	for i := range len(text) {
		if text[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii || c.env == nil || c.env.names == nil {
		return ascii
	}
	n := c.env.names
	return n.ClientEncoding == "UTF8" || n.ClientEncoding == "SQL_ASCII" && n.ServerEncoding == "UTF8"
}

// unparsed is a statement of which nothing is known.
func unparsed(text string) *sql.Statement {
	return &sql.Statement{Start: 0, End: len(text), Returns: true, Effects: sql.EffectOpaque | sql.EffectNames | sql.EffectCatalog,
		Action: action.Action{Kind: action.KindSQL, Verbs: []string{}, Reads: []action.Object{}, Writes: []action.Object{},
			Functions: []action.Function{}, Params: []action.Param{}, Features: map[string]any{action.FeatureUnparsed: true}, Text: text}}
}

// isIdentifier reports whether a name is one of a table or view that the session's path finds.
func (c *conn) isIdentifier(name string) bool {
	if c.env == nil || c.env.names == nil {
		return false
	}
	for _, schema := range c.env.names.Path {
		if _, ok := c.env.catalog.Relation(schema, name); ok {
			return true
		}
	}
	return false
}

// copyOptions says how to read a COPY's rows, if that is known.
func (c *conn) copyOptions(st *sql.Statement, isBinary bool) (rows.CopyOptions, bool) {
	o := st.Copy
	if o == nil || o.Unknown || isBinary != (o.Format == "binary") || len(o.Delimiter) > 1 || len(o.Quote) > 1 || len(o.Escape) > 1 {
		return rows.CopyOptions{}, false
	}
	out := rows.CopyOptions{Header: o.Header, Encoding: o.Encoding, Delimiter: first(o.Delimiter), Quote: first(o.Quote), Escape: first(o.Escape)}
	switch o.Format {
	case "csv":
		out.Format = rows.CopyCSV
	case "binary":
		return rows.CopyOptions{Format: rows.CopyBinary}, true
	}
	out.Null = &o.Null
	if out.Encoding == "" && c.env != nil && c.env.names != nil {
		out.Encoding = c.env.names.ClientEncoding
	}
	return out, true
}

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}
