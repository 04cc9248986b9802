package pgsql

import (
	"testing"
)

func TestAnalyzeSmoke(t *testing.T) {
	st, err := Analyze("select c.email e, upper(name) from customers c where ssn = 'x' limit 5", oldest())
	if err != nil || len(st) != 1 || len(st[0].Outputs) != 2 || !st[0].Outputs[0].Direct || len(st[0].Probes) != 1 {
		t.Fatalf("%+v %v", st, err)
	}
}
