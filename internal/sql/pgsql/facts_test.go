package pgsql

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

// TestFacts compares what is said of each statement with the golden file.
func TestFacts(t *testing.T) {
	var b strings.Builder
	for _, q := range lines(t, "testdata/facts.sql") {
		got, err := Analyze(q, oldest())
		fmt.Fprintf(&b, "# %s\n", q)
		if err != nil {
			fmt.Fprintf(&b, "  error %v\n", err)
		}
		for _, st := range got {
			render(&b, "  ", st)
		}
	}
	const golden = "testdata/facts.golden"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	w, g := strings.Split(string(want), "# "), strings.Split(b.String(), "# ")
	for i := range max(len(w), len(g)) {
		switch {
		case i >= len(w):
			t.Errorf("new:\n%s", g[i])
		case i >= len(g):
			t.Errorf("gone:\n%s", w[i])
		case w[i] != g[i]:
			t.Errorf("got:\n%swant:\n%s", g[i], w[i])
		}
	}
}

// render writes a statement's facts, short: a line for each that is not empty.
func render(b *strings.Builder, indent string, st *sql.Statement) {
	line := func(name string, parts []string) {
		if len(parts) > 0 {
			fmt.Fprintf(b, "%s%s %s\n", indent, name, strings.Join(parts, " "))
		}
	}
	line("verbs", st.Action.Verbs)
	line("reads", objects(st.Action.Reads))
	line("writes", objects(st.Action.Writes))
	var parts []string
	for _, f := range st.Action.Functions {
		s := f.Schema + "." + f.Name + ":" + f.Volatility
		if f.Opaque {
			s += ":opaque"
		}
		parts = append(parts, s)
	}
	line("functions", parts)
	parts = nil
	for k, v := range st.Action.Features {
		if v == true {
			parts = append(parts, k)
		} else {
			parts = append(parts, fmt.Sprintf("%s=%v", k, v))
		}
	}
	slices.Sort(parts)
	line("features", parts)
	line("effects", effects(st.Effects))
	line("outputs", outputs(st))
	line("probes", columns(st.Probes))
	parts = nil
	for _, f := range st.Flows {
		parts = append(parts, f.To.String()+"<-"+strings.Join(columns(f.From), ","))
	}
	line("flows", parts)
	if st.Name != "" {
		line("name", []string{st.Name})
	}
	if st.Copy != nil {
		line("copy", []string{fmt.Sprintf("%+v", *st.Copy)})
	}
	if st.ShapeKey != "" {
		line("shape", []string{"yes"})
	}
	if st.Inner != nil {
		fmt.Fprintf(b, "%sinner\n", indent)
		render(b, indent+"  ", st.Inner)
	}
}

func objects(list []action.Object) []string {
	var out []string
	for _, o := range list {
		s := o.Schema + "." + o.Name + "(" + strings.Join(o.Columns, ",") + ")"
		if !o.Resolved {
			s += "?"
		}
		out = append(out, s)
	}
	return out
}

func outputs(st *sql.Statement) []string {
	var out []string
	if st.Returns && st.Outputs == nil {
		return []string{"not known"}
	}
	for _, o := range st.Outputs {
		s := fmt.Sprintf("%q=", o.Name) + strings.Join(columns(o.Origins), ",")
		if o.Direct {
			s += "!"
		}
		if o.Unknown {
			s += "?"
		}
		out = append(out, s)
	}
	return out
}

func columns(list []sql.Column) []string {
	var out []string
	for _, c := range list {
		out = append(out, strings.TrimPrefix(c.String(), "public."))
	}
	return out
}

func effects(e sql.Effect) []string {
	names := []string{"names", "catalog", "begin", "end", "prepare", "execute", "deallocate", "cursor", "fetch", "copyin", "copyout", "opaque"}
	var out []string
	for i, n := range names {
		if e&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return out
}
