package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

// copyStmt is COPY. Outputs of COPY … TO are the copied columns; nothing is
// returned as rows.
func (a *analysis) copyStmt(c *pg.CopyStmt, st *sql.Statement) *rowset {
	a.verb("copy")
	st.Copy = copyOptions(c.Options)
	if c.IsProgram {
		a.feature(action.FeatureProgram)
	}
	if c.Filename != "" {
		a.feature(action.FeatureServerFile)
	}
	if c.IsFrom {
		a.copyFrom(c)
		return nil
	}
	a.mark(action.FeatureCopy, "out")
	if c.Filename == "" {
		a.effect(sql.EffectCopyOut)
	}
	var out rowset
	if c.Query != nil {
		out = a.query(c.Query, nil)
	} else {
		a.verb("select")
		out = a.copyColumns(c)
	}
	if c.Filename != "" {
		a.flow(sql.Column{Table: c.Filename}, a.rowLineage(out))
	}
	if out.open {
		return nil
	}
	return &out
}

// copyColumns are the columns of COPY table [(columns)] TO.
func (a *analysis) copyColumns(c *pg.CopyStmt) rowset {
	it := a.readTable(c.Relation)
	names, _ := fieldNames(c.Attlist)
	if it.rel == nil {
		return rowset{open: true}
	}
	var out rowset
	if len(names) == 0 {
		for i, col := range it.rel.Columns {
			if col.Generated == "" {
				out.columns = append(out.columns, it.columns[i])
			}
		}
	}
	for _, name := range names {
		i := find(it.columns, name)
		if i < 0 {
			a.unresolved()
			return rowset{open: true}
		}
		out.columns = append(out.columns, it.columns[i])
	}
	return rowset{columns: a.settled(out.columns)}
}

func (a *analysis) copyFrom(c *pg.CopyStmt) {
	a.mark(action.FeatureCopy, "in")
	a.verb("insert")
	if c.Filename == "" {
		a.effect(sql.EffectCopyIn)
	}
	it := a.table(c.Relation)
	names, _ := fieldNames(c.Attlist)
	for _, name := range names {
		a.known(it, name)
	}
	a.written(c.Relation, names...)
	if c.WhereClause != nil {
		a.probe(a.expr(c.WhereClause, &scope{source: single(it)}))
	}
}

// copyOptions reads the options that say how the rows are written.
func copyOptions(list []*pg.Node) *sql.CopyOptions {
	o := &sql.CopyOptions{Format: "text", Delimiter: "\t", Null: `\N`}
	set := map[string]string{}
	for _, n := range list {
		d := n.GetDefElem()
		name := d.GetDefname()
		value, ok := optionValue(d.GetArg())
		if !ok {
			o.Unknown = true
		}
		switch name {
		case "format", "delimiter", "null", "quote", "escape", "header", "encoding", "default":
			set[name] = value
		case "freeze", "on_error", "log_verbosity", "force_not_null", "force_null", "reject_limit":
		case "force_quote":
			o.ForceQuote = true
		default:
			o.Unknown = true
		}
	}
	if v, ok := set["format"]; ok {
		o.Format = v
	}
	switch o.Format {
	case "csv":
		o.Delimiter, o.Null, o.Quote, o.Escape = ",", "", `"`, ""
	case "text", "binary":
	default:
		o.Unknown = true
	}
	for name, field := range map[string]*string{"delimiter": &o.Delimiter, "null": &o.Null, "quote": &o.Quote, "escape": &o.Escape, "encoding": &o.Encoding} {
		if v, ok := set[name]; ok {
			*field = v
		}
	}
	if o.Format == "csv" && o.Escape == "" {
		o.Escape = o.Quote
	}
	if v, ok := set["header"]; ok {
		o.Header = lower(v) != "false" && lower(v) != "off" && v != "0"
	}
	return o
}

// optionValue is an option's value as text; false when it is of an unexpected kind.
func optionValue(n *pg.Node) (string, bool) {
	switch v := n.GetNode().(type) {
	case nil:
		return "true", true
	case *pg.Node_String_:
		return v.String_.Sval, true
	case *pg.Node_Integer:
		return itoa(int(v.Integer.Ival)), true
	case *pg.Node_Boolean:
		if v.Boolean.Boolval {
			return "true", true
		}
		return "false", true
	case *pg.Node_TypeName:
		if names, _ := fieldNames(v.TypeName.Names); len(names) == 1 {
			return names[0], true
		}
	case *pg.Node_List, *pg.Node_AStar:
		return "", true
	}
	return "", false
}
