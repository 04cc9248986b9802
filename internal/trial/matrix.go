package trial

import (
	"context"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
)

// Bounds of a matrix.
const (
	maxRows    = 60
	maxTargets = 40
)

// Cell is one verdict of a matrix.
type Cell struct {
	Verb    string         `json:"verb"`
	Verdict policy.Verdict `json:"verdict"`
	Rule    string         `json:"rule"`
	Reason  string         `json:"reason"`
	Masks   int            `json:"masks"` // masks in force
}

// Place is what of a matrix is about one target.
type Place struct {
	Target string   `json:"target"`
	Verbs  []string `json:"verbs"`
}

// Row is what one identity may do: a Cell for each verb of each target, in the order of the matrix.
type Row struct {
	Name  string `json:"name"`
	Cells []Cell `json:"cells"`
}

// Matrix is who may do what where.
type Matrix struct {
	Revision string  `json:"revision"`
	Object   string  `json:"object"` // what the verbs are about, where they are about a table
	Places   []Place `json:"places"`
	Rows     []Row   `json:"rows"`
	Cut      bool    `json:"cut"` // there are more rows, targets, or there was no more time
}

// Who is a row's name, and whom it stands for.
type Who struct {
	Name     string
	Identity identity.Identity
}

// Verbs that a matrix asks about, by protocol.
func Verbs(protocol string) []string {
	switch protocol {
	case "postgres", "mysql":
		return []string{"connect", "select", "insert", "update", "delete", "drop"}
	case "http":
		return []string{"get", "post", "put", "delete"}
	case "kubernetes":
		return []string{"get", "list", "create", "delete"}
	case "ssh":
		return []string{"connect", "exec"}
	}
	return []string{"connect"}
}

// Ask makes the matrix by judging each cell with the engine. schema and name are the table, resource or path that is asked
// about. It ends when ctx does, with what it has.
func Ask(ctx context.Context, e *policy.Engine, who []Who, targets []policy.Target, schema, name string, now time.Time) Matrix {
	m := Matrix{Revision: e.Revision(), Object: name, Cut: len(who) > maxRows || len(targets) > maxTargets}
	if schema != "" {
		m.Object = schema + "." + name
	}
	targets = targets[:min(len(targets), maxTargets)]
	for _, t := range targets {
		m.Places = append(m.Places, Place{t.Name, Verbs(t.Protocol)})
	}
	for _, w := range who[:min(len(who), maxRows)] {
		row := Row{Name: w.Name}
		for i, t := range targets {
			judge := e.Session(w.Identity, t, policy.Session{Started: now, Client: "127.0.0.1:0"})
			for _, verb := range m.Places[i].Verbs {
				if ctx.Err() != nil {
					m.Cut = true
					return m
				}
				a, st := sample(t, verb, schema, name)
				d := judge.Judge(ctx, &a, st)
				row.Cells = append(row.Cells, Cell{verb, d.Verdict, d.Rule, d.Reason, len(d.Mask)})
			}
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// sample is the plainest action with a verb: one row by its key, one request, one command.
func sample(t policy.Target, verb, schema, name string) (action.Action, *sql.Statement) {
	if verb == "connect" {
		return action.Connect(t.Name, "", ""), nil
	}
	a := action.Action{Verbs: []string{verb}, Reads: []action.Object{}, Writes: []action.Object{}, Functions: []action.Function{},
		Features: map[string]any{}, Params: []action.Param{}, Text: verb}
	o := action.Object{Schema: schema, Name: name, Columns: []string{}, Resolved: true}
	switch t.Protocol {
	case "postgres", "mysql":
		a.Kind = action.KindSQL
		if slices.Contains([]string{"select", "update", "delete"}, verb) {
			a.Features[action.FeatureWhere] = true
		}
		if verb == "drop" {
			a.Features[action.FeatureDDL] = true
		}
		if verb == "select" {
			a.Reads = append(a.Reads, o)
		} else {
			a.Writes = append(a.Writes, o)
		}
		return a, &sql.Statement{Action: a, Returns: verb == "select", Outputs: []sql.Output{}}
	case "http":
		a.Kind = action.KindHTTP
		o.Schema, o.Name = "", "/"+name
	case "kubernetes":
		a.Kind = action.KindKube
		o.Schema, o.Name = "pods", "default/"+name
	case "ssh":
		a.Kind = action.KindExec
		a.Verbs, a.Text = []string{"ls"}, "ls"
		return a, nil
	}
	if slices.Contains([]string{"get", "list"}, verb) {
		a.Reads = append(a.Reads, o)
	} else {
		a.Writes = append(a.Writes, o)
	}
	return a, nil
}
