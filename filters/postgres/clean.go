package postgres

import (
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/sql"
)

// An error or notice quotes data: of the statement itself, and of whatever else ran because of it. Where columns
// are masked such text is hidden, unless it is certain that no masked column had a part in it.

// cleanFeatures are those of a statement that say nothing about what else it runs.
var cleanFeatures = map[string]bool{action.FeatureWhere: true, action.FeatureLimit: true, action.FeatureLocking: true}

// clean reports whether what the target says of a run can quote no masked column: all that the statement
// touches is known, and none of it is masked or runs code of its own.
func (c *conn) clean(e *entry, run *run) bool {
	if run == nil || run.plan == nil || c.env == nil || c.env.catalog == nil || e.kind == eQuery && len(e.runs) != 1 {
		return false
	}
	st := run.st
	if st.Effects != 0 || st.Inner != nil || len(st.Action.Verbs) == 0 {
		return false
	}
	for _, v := range st.Action.Verbs {
		if v != "select" && v != "insert" && v != "update" && v != "delete" {
			return false
		}
	}
	for name := range run.action.Features {
		if !cleanFeatures[name] {
			return false
		}
	}
	for i := range st.Action.Functions {
		if st.Action.Functions[i].Opaque {
			return false
		}
	}
	return c.cleanObjects(run.plan, st.Action.Reads, false) && c.cleanObjects(run.plan, st.Action.Writes, true)
}

// cleanObjects reports whether the objects are plain tables without masked columns.
func (c *conn) cleanObjects(plan *mask.Plan, list []action.Object, written bool) bool {
	cat := c.env.catalog
	for i := range list {
		r, ok := cat.Relation(list[i].Schema, list[i].Name)
		if !ok || r.Schema == "pg_catalog" || r.Schema == "information_schema" {
			return false
		}
		for _, r := range r.Family() {
			if r.Kind != 'r' && r.Kind != 'p' || r.ReadCode || written && r.WriteCode {
				return false
			}
			for k := range r.Columns {
				col := &r.Columns[k]
				if t, known := cat.Type(col.Type); !known || t.Code {
					return false
				}
				if _, _, masked := plan.CoversAny(cat.Origins(sql.Column{Schema: r.Schema, Table: r.Name, Name: col.Name})); masked {
					return false
				}
			}
		}
	}
	return true
}
