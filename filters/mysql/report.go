package mysql

import (
	"strconv"

	"dragoman.dev/dragoman/filters/mysql/rows"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/sql"
)

// columnsOf says what masks each column of a result: what the statement and what the target say of its origin. If
// either knows of a masked column, the value is masked.
func (c *conn) columnsOf(r *run, defs []wire.Column) []rows.Column {
	out := make([]rows.Column, len(defs))
	outputs := r.source.Outputs
	told := tells(r)
	for i := range defs {
		d := &defs[i]
		out[i] = rows.Column{Type: d.Type, Unsigned: d.Flags&wire.FlagUnsigned != 0}
		if r.plan.Empty() {
			continue
		}
		var o sql.Output
		switch {
		case len(outputs) == len(defs) && !r.extra:
			o = outputs[i]
		case !told:
			o.Unknown = true
		}
		out[i].Mask = c.masker(r.plan, o, d)
		if told && warnings(r) && d.Name == "Message" {
			out[i].Scrub = c.scrubWarning
		}
	}
	return out
}

// tells reports whether a result is about the schema or a plan, and holds no data.
func tells(r *run) bool {
	for _, v := range r.source.Action.Verbs {
		if v == "explain" || v == "show" {
			return !r.extra
		}
	}
	return false
}

func warnings(r *run) bool { return r.source.Name == "warnings" }

// masker is what masks a column, nil for nothing.
func (c *conn) masker(plan *mask.Plan, o sql.Output, d *wire.Column) *mask.Masker {
	from, direct, unknown := o.Origins, o.Direct, o.Unknown
	if d.OrgTable != "" && d.OrgName != "" && d.Schema != "" {
		more, _, known := c.env().Catalog.Origins(sql.Column{Schema: d.Schema, Table: d.OrgTable, Name: d.OrgName})
		switch {
		case known:
			from = append(append([]sql.Column(nil), from...), more...)
		case len(from) == 0:
			unknown = unknown || plan.HasColumns() && !c.harmlessTable(d)
		}
	}
	m := plan.Masker(from, direct, unknown, rows.MaskType(d))
	if m == nil && !asciiCollation(d.Charset) {
		return &mask.Masker{} // NULL: detectors do not read it
	}
	return m
}

// harmlessTable: tables of the server's own and temporary ones have no columns that could be masked.
func (c *conn) harmlessTable(d *wire.Column) bool {
	switch d.Schema {
	case "information_schema", "performance_schema", "mysql", "sys":
		return true
	}
	return false
}

// asciiCollation reports whether text of a collation has ASCII as it is: not UCS-2, UTF-16 and UTF-32.
func asciiCollation(id uint16) bool {
	switch {
	case id == 35, id == 54, id == 55, id == 56, id == 60, id == 61, id == 62, id == 90:
		return false
	case id >= 101 && id <= 124, id >= 128 && id <= 151, id == 159, id >= 160 && id <= 183:
		return false
	case id >= 640 && id <= 767: // MariaDB's of UCS-2, UTF-16 and UTF-32
		return false
	}
	return true
}

// Errors about the statement's own text, raised before any row is read.
func aboutText(number uint16) bool {
	switch number {
	case 1044, 1046, 1049, 1051, 1052, 1054, 1055, 1056, 1060, 1061, 1063, 1064, 1065, 1066, 1067, 1072, 1091, 1102, 1103, 1109, 1110, 1111, 1113, 1115,
		1117, 1120, 1128, 1136, 1140, 1141, 1142, 1143, 1146, 1149, 1176, 1193, 1210, 1221, 1222, 1228, 1229, 1230, 1231, 1232, 1235, 1241, 1243, 1247, 1248,
		1273, 1295, 1305, 1318, 1319, 1327, 1363, 1370, 1386, 1414, 1415, 1582, 1583, 1584, 3065, 3593:
		return true
	}
	return false
}

// scrub gives the message of an error as the client may see it.
func (c *conn) scrub(e *wire.Error, r *run) string {
	plan := c.plan
	if r != nil && r.plan != nil {
		plan = r.plan
	}
	if plan.Empty() {
		return e.Message
	}
	if r != nil && c.clean(r, plan) {
		out, hits := plan.Scrub(nil, []byte(e.Message))
		if hits == 0 {
			return e.Message
		}
		return string(out)
	}
	n := mask.Notice{Code: e.State, Message: e.Message}
	if aboutText(e.Number) && (r == nil || r.st.Effects&sql.EffectOpaque == 0) && !quotesValues(r) {
		n.Code, n.Position = "42601", "1"
	}
	if !plan.ScrubError(&n, c.isTable) {
		return e.Message
	}
	return n.Message + " (error " + strconv.Itoa(int(e.Number)) + ")"
}

// quotesValues reports whether code that is stored in the target may have raised an error with words of its own.
func quotesValues(r *run) bool {
	return r != nil && len(r.st.Action.Writes) > 0 // a trigger
}

// scrubWarning is scrub for the text of SHOW WARNINGS, which is about the statement before.
func (c *conn) scrubWarning(v []byte) []byte {
	plan := c.plan
	if plan.Empty() || c.lastClean {
		return v
	}
	n := mask.Notice{Code: "HY000", Message: string(v)}
	if !plan.ScrubNotice(&n, c.isTable) {
		return v
	}
	return []byte(n.Message)
}

// isTable reports whether a name is one of a table of the session's database.
func (c *conn) isTable(name string) bool {
	_, ok := c.env().Catalog.Table(c.database, name)
	return ok
}

// clean reports whether what the target says of a run can quote no masked column: all that the statement touches is
// known, and none of it is masked or runs code of its own.
func (c *conn) clean(r *run, plan *mask.Plan) bool {
	st := r.st
	if st.Effects != 0 || st.Inner != nil || len(st.Action.Verbs) == 0 || r.action.Has(action.FeatureUnresolved) || r.action.Has(action.FeatureUnparsed) {
		return false
	}
	for _, list := range [][]action.Object{st.Action.Reads, st.Action.Writes} {
		for i := range list {
			t, ok := c.env().Catalog.Table(list[i].Schema, list[i].Name)
			if !ok || t.View || t.Triggers {
				return false
			}
			for _, col := range t.Columns {
				if _, _, masked := plan.CoversAny(append([]sql.Column{{Schema: t.DB, Table: t.Name, Name: col.Name}}, col.From...)); masked || col.Unknown {
					return false
				}
			}
		}
	}
	return true
}
