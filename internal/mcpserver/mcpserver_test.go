package mcpserver

import (
	"context"
	"strings"
	"testing"
	"time"
)

const tools = "../../.tools"

// The server passes the official suite, so that what a gateway before it fails is the gateway's.
func TestTheServerConforms(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	s, err := Start(ctx, tools)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	all, err := Conformance(ctx, tools, s.URL, "active")
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, one := range all {
		passed += one.Passed
		if one.Failed > 0 {
			t.Errorf("%+v", one)
		}
	}
	if len(all) < 30 {
		t.Errorf("%d scenarios", len(all))
	}
	t.Logf("%d scenarios, %d checks passed", len(all), passed)
}

func TestClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	s, err := Start(ctx, tools, "--json", "--pages")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	for what, want := range map[string]string{"tools": "delete_person", "call:describe_person": "alice@customer.example", "call:none": `"error"`, "read:test://static-text": "static text"} {
		do, name, _ := strings.Cut(what, ":")
		out, err := Client(ctx, tools, s.URL, map[string]string{"x-test": "1"}, do, name, map[string]int{"id": 1})
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %s %v", what, out, err)
		}
	}
}
