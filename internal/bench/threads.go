package main

import (
	"fmt"
	"strings"

	"dragoman.dev/dragoman/internal/bench/load"
	"dragoman.dev/dragoman/internal/bench/report"
)

// threadTable is the proxy's CPU by its threads' roles.
type threadTable struct {
	lines  []string // "workload | peer", in the order in which they came
	values map[string]map[string]report.Series
}

func (t *threadTable) add(workload, peer string, roles map[string]float64) {
	line := workload + " | " + peer
	if t.values == nil {
		t.values = map[string]map[string]report.Series{}
	}
	if t.values[line] == nil {
		t.values[line] = map[string]report.Series{}
		t.lines = append(t.lines, line)
	}
	for role, v := range roles {
		t.values[line][role] = append(t.values[line][role], v)
	}
}

func (t *threadTable) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| workload | proxy | %s, µs a transaction | %s |\n| --- | --- | ---: | ---: |\n", load.Workers, load.Others)
	for _, line := range t.lines {
		v := t.values[line]
		fmt.Fprintf(&b, "| %s | %.1f | %.1f |\n", line, v[load.Workers].Median(), v[load.Others].Median())
	}
	return b.String()
}
