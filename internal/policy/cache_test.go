package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/sql"
)

func regoEngine(t testing.TB, body string) *Engine {
	t.Helper()
	e, err := Compile(context.Background(), Bundle{Modules: map[string]string{"p.rego": "package dragoman.policy\n\n" + body}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRefs(t *testing.T) {
	all := refs{text: true, params: true, fingerprint: true, id: true, started: true, client: true, app: true,
		database: true, dbUser: true, claims: true, tokenID: true, expires: true}
	for src, want := range map[string]refs{
		`x := input.action.verbs`:                        {},
		`x := input.action.text`:                         {text: true},
		`x := input.action["text"]`:                      {text: true},
		`x := input.action.params[0].value`:              {params: true},
		`x contains k if input.action[k]`:                {text: true, params: true, fingerprint: true},
		`x := input.action`:                              {text: true, params: true, fingerprint: true},
		`x := object.get(input.action, "text", "")`:      {text: true, params: true, fingerprint: true},
		`x := object.get(input, ["action", "text"], "")`: all,
		`x := input`:                                                                 all,
		"f(a) := a.text\n\nx := f(input.action)":                                     {text: true, params: true, fingerprint: true},
		"k := \"text\"\n\nx := input.action[k]":                                      {text: true, params: true, fingerprint: true},
		"k := \"action\"\n\nx := input[k].verbs":                                     all,
		`x if walk(input, [["action", "text"], "a"])`:                                all,
		`x := [a.text | a := input.action]`:                                          {text: true, params: true, fingerprint: true},
		`x if "a" in input.identity.claims.roles`:                                    {claims: true},
		`x := input.session.client`:                                                  {client: true},
		`x := input.session`:                                                         {id: true, started: true, client: true, app: true, database: true, dbUser: true},
		`x := {"t": [input.action.features[input.action.text]]}`:                     {text: true},
		`x := time.now_ns()`:                                                         {clock: true},
		`x if time.now_ns() > 5`:                                                     {clock: true},
		`x := [time.clock(time.now_ns())]`:                                           {clock: true},
		`x := rand.intn("a", 5)`:                                                     {clock: true},
		`x := uuid.rfc4122(input.identity.subject)`:                                  {clock: true},
		`x if io.jwt.decode_verify(input.identity.subject, {"secret": "x"})[0]`:      {clock: true},
		`x if true with input.action as {"text": input.action.text}`:                 {text: true, params: true, fingerprint: true},
		"x if every t in input.action.params { t.value != \"a\" }":                   {params: true},
		`x := y if { some y in [z | z := input.session.started] }`:                   {started: true},
		`x := sprintf("%s", [input.action.fingerprint])`:                             {fingerprint: true},
		"import input.action.text as txt\n\nx := txt":                                {text: true},
		"import input as i\n\nx := i.identity.expires":                               {expires: true},
		"import input.action\n\nx := action.params":                                  {params: true},
		"import input.action\n\nx := action":                                         {text: true, params: true, fingerprint: true},
		`x if input.identity.token_id in data.dragoman.off`:                          {tokenID: true},
		`x if crypto.x509.parse_and_verify_certificates(input.target.name)[0]`:       {clock: true},
		"x contains t if {\n\tsome i\n\tinput.action.verbs[i] == \"a\"\n\tt := i\n}": {},
	} {
		got := regoEngine(t, src).refs
		if got.body, got.objects = false, false; got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", src, got, want)
		}
	}
}

// What the policy reads decides what is kept apart; the cache never changes a verdict.
func TestCacheTellsApart(t *testing.T) {
	judge := func(e *Engine, change func(*Input)) Decision {
		in := &Input{Identity: who("agent:x", "g"), Target: shop, Session: Session{ID: "s", Client: "c"},
			Action: sqlAction("select", objs(table("t", "a")), nil)}
		change(in)
		return e.Judge(context.Background(), in, &sql.Statement{})
	}
	for field, c := range map[string]struct {
		cond   string
		change func(*Input)
	}{
		"text":    {`input.action.text == "x"`, func(i *Input) { i.Action.Text = "x" }},
		"params":  {`input.action.params[_].value == "x"`, func(i *Input) { i.Action.Params = []action.Param{{Value: "x"}} }},
		"null":    {`input.action.params[_].null`, func(i *Input) { i.Action.Params = []action.Param{{Null: true}} }},
		"print":   {`input.action.fingerprint == "x"`, func(i *Input) { i.Action.Fingerprint = "x" }},
		"client":  {`input.session.client == "x"`, func(i *Input) { i.Session.Client = "x" }},
		"claims":  {`input.identity.claims.a == 1`, func(i *Input) { i.Identity.Claims = map[string]any{"a": 1} }},
		"group":   {`"x" in input.identity.groups`, func(i *Input) { i.Identity.Groups = []string{"x"} }},
		"label":   {`input.target.labels.x == "x"`, func(i *Input) { i.Target.Labels = map[string]string{"x": "x"} }},
		"column":  {`input.action.reads[_].columns[_] == "x"`, func(i *Input) { i.Action.Reads = objs(table("t", "x")) }},
		"feature": {`input.action.features.x == 3`, func(i *Input) { i.Action.Features["x"] = 3 }},
		"opaque":  {`input.action.functions[_].volatility == "x"`, func(i *Input) { i.Action.Functions = []action.Function{{Volatility: "x"}} }},
	} {
		e := regoEngine(t, "verdicts contains {\"verdict\": \"allow\", \"rule\": \"a\"}\n\nverdicts contains {\"verdict\": \"block\", \"rule\": \"b\"} if "+c.cond)
		for range 2 {
			if d := judge(e, func(*Input) {}); d.Rule != "a" {
				t.Errorf("%s: plain: %+v", field, d)
			}
			if d := judge(e, c.change); d.Rule != "b" {
				t.Errorf("%s: changed: %+v", field, d)
			}
		}
	}
}

// Canonical keys differ for actions that differ, however their strings are cut.
func TestKeysAreInjective(t *testing.T) {
	e := regoEngine(t, "x := input.action")
	seen := map[string]action.Action{}
	for _, a := range []action.Action{
		{}, {Kind: "a"}, {Verbs: []string{"a"}}, {Verbs: []string{"a", "b"}}, {Verbs: []string{"ab"}}, {Verbs: []string{""}},
		{Reads: objs(table("t"))}, {Writes: objs(table("t"))}, {Reads: objs(table("t", "a", "b"))}, {Reads: objs(table("t", "ab"))},
		{Reads: objs(table("t", "a"), table("b"))}, {Features: map[string]any{"a": true}}, {Features: map[string]any{"a": "true"}},
		{Features: map[string]any{"a": 1}}, {Features: map[string]any{"a": "1"}}, {Features: map[string]any{"a": false}},
		{Functions: []action.Function{{Name: "a"}}}, {Functions: []action.Function{{Schema: "a"}}}, {Functions: []action.Function{{Opaque: true}}},
		{Text: "a"}, {Fingerprint: "a"}, {Params: []action.Param{{}}}, {Params: []action.Param{{Null: true}}}, {Params: []action.Param{{Encoding: "a"}}},
	} {
		k, ok := e.appendKey(nil, &a, nil)
		if other, dup := seen[string(k)]; dup || !ok {
			t.Errorf("%+v has the key of %+v", a, other)
		}
		seen[string(k)] = a
	}
}

func TestVolatileFieldsShareVerdicts(t *testing.T) {
	e := engineOf(t, Source{Dir: "testdata/demo"})
	id := who("agent:bot", "analysts")
	id.TokenID, id.Claims, id.Expires = "one", map[string]any{"jti": "one"}, time.Now()
	other := id
	other.TokenID, other.Claims = "two", map[string]any{"jti": "two"}
	if a, b := e.sit(id, shop, Session{ID: "1", Client: "x"}), e.sit(other, shop, Session{ID: "2", Client: "y"}); a.prefix != b.prefix {
		t.Error("sessions of the same identity have different keys")
	}
	other.Groups = []string{"dba"}
	if a, b := e.sit(id, shop, Session{}), e.sit(other, shop, Session{}); a.prefix == b.prefix {
		t.Error("other groups have the same key")
	}
}

func TestClockIsNeverKept(t *testing.T) {
	e := regoEngine(t, `verdicts contains {"verdict": "allow", "rule": sprintf("%d", [time.now_ns()])}`)
	in := &Input{Identity: who("a"), Target: shop, Action: sqlAction("select", nil, nil)}
	a := e.Judge(context.Background(), in, &sql.Statement{})
	b := e.Judge(context.Background(), in, &sql.Statement{})
	if a.Rule == b.Rule || a.Verdict != Allow {
		t.Errorf("%+v %+v", a, b)
	}
}

func TestSwapAppliesToLiveSessions(t *testing.T) {
	var h Handle
	s := h.Session(who("a", "g"), shop, Session{})
	a := sqlAction("select", nil, nil)
	judge := func() string { return s.Judge(context.Background(), &a, &sql.Statement{}).Rule }
	if got := judge(); got != RuleNoPolicy {
		t.Fatal(got)
	}
	one, two := engineOf(t, Source{Rules: []Rule{allow("one", When{})}}), engineOf(t, Source{Rules: []Rule{block("two", When{})}})
	for range 3 {
		h.Swap(one)
		if got := judge(); got != "one" {
			t.Fatal(got)
		}
		if old := h.Swap(two); old != one {
			t.Fatal("old engine")
		}
		if got := judge(); got != "two" || s.Revision() != two.Revision() {
			t.Fatal(got)
		}
	}
	h.Swap(nil)
	if got := judge(); got != RuleNoPolicy {
		t.Fatal(got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	e := engineOf(t, Source{Rules: []Rule{allow("all", When{})}})
	for i := range 6000 {
		e.cache.put(fmt.Sprint(i), &entry{})
	}
	n := 0
	for i := range e.cache.shards {
		n += len(e.cache.shards[i].m)
	}
	if n > shards*perShard || n < shards*perShard/2 {
		t.Errorf("%d entries", n)
	}
}

// The input that is built by hand is the JSON form of Input.
func TestInputIsTheJSONForm(t *testing.T) {
	e := engineOf(t, Source{})
	in := Input{Version: InputVersion, Identity: who("agent:x", "g"), Target: shop,
		Session: Session{ID: "s", Started: time.Unix(5, 0).UTC(), Client: "c", Application: "psql", Database: "d", User: "u"},
		Action: action.Action{Kind: "sql", Verbs: []string{"select"}, Reads: objs(table("t", "a")), Writes: objs(table("w", "b")),
			Functions: []action.Function{{Schema: "s", Name: "f", Volatility: "stable", Opaque: true}},
			Features:  map[string]any{"a": true, "b": "x", "n": 3.5}, Text: "t", Fingerprint: "f",
			Params: []action.Param{{Value: "v"}, {Null: true}, {Value: "eA==", Encoding: "base64"}}}}
	got, err := inputValue(e.sit(in.Identity, in.Target, in.Session), &in.Action)
	if err != nil {
		t.Fatal(err)
	}
	gotJSON, err := ast.JSON(got)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(v any) (out any) {
		b, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(b, &out)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if a, b := plain(gotJSON), plain(in); !reflect.DeepEqual(a, b) {
		t.Errorf("\n got %v\nwant %v", a, b)
	}
}

func benchInput() (*Engine, *SessionJudge, *action.Action, *sql.Statement, error) {
	b, err := Source{Dir: "testdata/demo"}.Bundle()
	if err != nil {
		return nil, nil, nil, nil, err
	}
	e, err := Compile(context.Background(), b)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	a := sqlAction("select", objs(table("customers", "email", "id", "name")), nil, "where", "limit")
	a.Text = "select id, name, email from customers where id = $1 limit 1"
	st := &sql.Statement{Action: a, Returns: true, Outputs: known(col("id"), col("name"), col("email")), Probes: []sql.Column{col("id")}}
	return e, e.Session(who("agent:bot", "analysts"), shop, Session{ID: "s"}), &st.Action, st, nil
}

func BenchmarkJudgeCached(b *testing.B) {
	_, s, a, st, err := benchInput()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if d := s.Judge(context.Background(), a, st); d.Verdict != Allow {
			b.Fatal(d)
		}
	}
}

func BenchmarkJudgeCold(b *testing.B) {
	e, s, a, st, err := benchInput()
	if err != nil {
		b.Fatal(err)
	}
	e.refs.clock = true // keeps nothing
	b.ReportAllocs()
	for b.Loop() {
		if d := s.Judge(context.Background(), a, st); d.Verdict != Allow {
			b.Fatal(d)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	bundle, err := Source{Dir: "testdata/demo"}.Bundle()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Compile(context.Background(), bundle); err != nil {
			b.Fatal(err)
		}
	}
}
