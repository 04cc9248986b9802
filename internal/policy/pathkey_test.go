package policy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

const pathRules = `
rules:
  - {name: users, verdict: allow, when: {methods: [GET], paths: ["/users/*", "/users/*/orders/**"]}}
  - {name: files, verdict: allow, when: {paths: ["/files/**"]}}
  - {name: held, verdict: hold, when: {methods: [DELETE, GET], paths: ["/files/secret/*", "/u?ers/9*"]}, approvers: [leads]}
  - {name: never, verdict: block, when: {paths: ["/files/**/keys", "/*/admin"]}}
  - {name: sql, verdict: allow, when: {kinds: [sql], tables: ["public.*"]}}
masks:
  - {name: u, json: ["$.a"], paths: ["/users/1*"]}
  - {name: f, json: ["$.b"], paths: ["/files/**"], opaque: allow}
`

// A verdict that is kept for paths that are alike is the one that each of them would get.
func TestPathsThatAreAlike(t *testing.T) {
	kept, anew := httpEngine(t, pathRules), httpEngine(t, pathRules)
	anew.paths = nil
	if kept.paths == nil || len(kept.paths.globs) != 8 {
		t.Fatalf("%+v", kept.paths)
	}
	words := []string{"users", "files", "secret", "keys", "admin", "orders", "1", "12", "97", "x%2Fy", "usERS", "*", "[a]", ""}
	r := rand.New(rand.NewPCG(1, 2))
	for range 600 {
		path := ""
		for range 1 + r.IntN(4) {
			path += "/" + words[r.IntN(len(words))]
		}
		a := httpAction([]string{"get", "delete", "post"}[r.IntN(3)], path, nil)
		in := &Input{Identity: who("agent:x", "g"), Target: shop, Action: a}
		got, want := kept.Judge(context.Background(), in, nil), anew.Judge(context.Background(), in, nil)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s %s: kept %+v, anew %+v", a.Verbs[0], path, got, want)
		}
	}
	entries := func(e *Engine) (n int) {
		for i := range e.cache.shards {
			n += len(e.cache.shards[i].m)
		}
		return n
	}
	before := entries(kept)
	for i := range 100 {
		in := &Input{Identity: who("agent:x", "g"), Target: shop, Action: httpAction("get", fmt.Sprintf("/files/a/%d", i), nil)}
		if d := kept.Judge(context.Background(), in, nil); d.Verdict != Allow {
			t.Fatal(d)
		}
	}
	if n := entries(kept); n > before+1 {
		t.Errorf("100 paths that are alike have %d verdicts", n-before)
	}
}

// Where a path may be looked at in another way, it is its own key.
func TestPathsAreTheirOwnKeys(t *testing.T) {
	allow := "- {name: a, verdict: allow, when: {methods: [GET], paths: [\"/**\"]}}\n"
	for rules, want := range map[string]bool{
		allow: true,
		allow + "- {name: b, verdict: block, when: {tables: [\"*.x\"]}}\n":                 false,
		allow + "- {name: b, verdict: block, when: {kinds: [sql], tables: [\"*.x\"]}}\n":   true,
		allow + "- {name: b, verdict: block, when: {kinds: [http], columns: [\"*.x\"]}}\n": false,
	} {
		if got := httpEngine(t, rules).paths != nil; got != want {
			t.Errorf("%s: %v", rules, got)
		}
	}
	for src, want := range map[string]bool{
		`x := input.action.verbs`: true, `x := input.action.reads`: false, `x := input.action`: false, `x := input`: false, `x := data.dragoman.main`: false,
	} {
		e := regoEngine(t, src)
		if got := e.paths != nil; got != want {
			t.Errorf("%s: %v", src, got)
		}
	}
	var none *pathKey
	if none.stands(&action.Action{Kind: action.KindHTTP}) {
		t.Error("nothing stands for a path")
	}
}
