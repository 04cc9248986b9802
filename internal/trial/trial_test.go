package trial

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
)

// demo is the demo's own policy.
func demo(t *testing.T) *policy.Engine {
	t.Helper()
	b, err := policy.Source{Dir: "../../examples/demo/policy"}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	e, err := policy.Compile(context.Background(), b, policy.WithBudget(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func in(groups ...string) identity.Identity {
	id := identity.New("user:alice@example.com", "agent:bot")
	id.Groups = groups
	return id
}

var shop = policy.Target{Name: "shop", Protocol: "postgres"}

func TestRun(t *testing.T) {
	e := demo(t)
	for _, c := range []struct {
		protocol, group, text string
		verdict               policy.Verdict
		rule                  string
	}{
		{"postgres", "analysts", "SELECT id, name FROM customers WHERE id = 1", policy.Allow, "analysts-read"},
		{"postgres", "analysts", "SELECT count(*) FROM public.orders", policy.Allow, "analysts-read"},
		{"postgres", "analysts", "SELECT name FROM customers WHERE ssn = '1'", policy.Block, policy.RulePredicate},
		{"postgres", "analysts", "SELECT 1 FROM secret.things", policy.Block, "default"},
		{"postgres", "analysts", "DROP TABLE orders", policy.Block, "no-ddl"},
		{"postgres", "analysts", "UPDATE orders SET quantity = 1 WHERE id = 1", policy.Block, "default"},
		{"postgres", "dba", "UPDATE orders SET quantity = 1 WHERE id = 1", policy.Hold, "dba-change"},
		{"postgres", "dba", "UPDATE orders SET quantity = 1", policy.Block, "no-where"},
		{"postgres", "dba", "SELECT my_own_function()", policy.Block, ""},
		{"postgres", "analysts", "connect", policy.Allow, "connect"},
		{"postgres", "strangers", "connect", policy.Block, "default"},
		{"postgres", "dba", `{"verbs": ["truncate"]}`, policy.Block, "no-truncate"},
		{"mysql", "analysts", "DROP TABLE orders", policy.Block, "no-ddl"},
		{"ssh", "analysts", "rm -rf /", policy.Block, "default"},
		{"kubernetes", "analysts", "GET /api/v1/namespaces/default/pods", policy.Block, "default"},
	} {
		got, err := Run(context.Background(), Request{Engine: e, Identity: in(c.group), Target: policy.Target{Name: "shop", Protocol: c.protocol}, Text: c.text, Now: time.Now()})
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %d steps", c.text, err, len(got))
			continue
		}
		if d := got[0].Decision; d.Verdict != c.verdict || c.rule != "" && d.Rule != c.rule {
			t.Errorf("%s as %s: %s by %s (%s), want %s by %s", c.text, c.group, d.Verdict, d.Rule, d.Reason, c.verdict, c.rule)
		}
	}
}

// TestTrace: the explanation has the rules that matched, and what was assumed.
func TestTrace(t *testing.T) {
	got, err := Run(context.Background(), Request{Engine: demo(t), Identity: in("dba"), Target: shop, Text: "UPDATE orders SET quantity = 1; SELECT name FROM customers", Now: time.Now()})
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	var rules []string
	for _, s := range got[0].Said {
		rules = append(rules, s.Rule)
	}
	if strings.Join(rules, " ") != "no-where dba-change" || strings.Join(got[0].Assumed, " ") != "public.orders public.customers" {
		t.Errorf("%v said, %v assumed", rules, got[0].Assumed)
	}
	if d := got[1].Decision; d.Verdict != policy.Allow || len(d.Mask) == 0 {
		t.Errorf("%+v", d)
	}
}

func TestWhatCannotBeTried(t *testing.T) {
	e := demo(t)
	for _, c := range []struct{ protocol, text string }{
		{"postgres", "SELEC 1"}, {"postgres", strings.Repeat("x", maxText+1)}, {"postgres", strings.Repeat("SELECT 1;", maxSteps+1)}, {"postgres", "-- nothing"},
		{"postgres", `{"verb": ["x"]}`}, {"http", "GET /"}, {"rdp", "what"}, {"kubernetes", "GET"}, {"kubernetes", "GET pods"},
	} {
		if got, err := Run(context.Background(), Request{Engine: e, Target: policy.Target{Name: "x", Protocol: c.protocol}, Text: c.text}); !errors.Is(err, ErrText) {
			t.Errorf("%.40q: %v %v", c.text, got, err)
		}
	}
	if got, err := Run(context.Background(), Request{Target: shop, Text: "SELECT 1"}); err != nil || got[0].Decision.Verdict != policy.Block {
		t.Errorf("without a policy: %v %v", got, err)
	}
	broken := func(string, string, string) (action.Action, error) { return action.Action{}, errors.New("no") }
	if _, err := Run(context.Background(), Request{Engine: e, Target: policy.Target{Name: "x", Protocol: "http"}, Text: "GET /", HTTP: broken}); !errors.Is(err, ErrText) {
		t.Error(err)
	}
}

func TestMatrix(t *testing.T) {
	who := []Who{{"analysts", in("analysts")}, {"dba", in("dba")}, {"strangers", in()}}
	m := Ask(context.Background(), demo(t), who, []policy.Target{shop, {Name: "web", Protocol: "http"}}, "public", "orders", time.Now())
	want := map[string]string{
		"analysts": "allow allow block block block block",
		"dba":      "allow allow block hold hold block", "strangers": "block block block block block block",
	}
	for _, r := range m.Rows {
		var all []string
		for _, c := range r.Cells[:6] {
			all = append(all, c.Verdict.String())
		}
		if got := strings.Join(all, " "); got != want[r.Name] || len(r.Cells) != 10 {
			t.Errorf("%s: %s, want %s", r.Name, got, want[r.Name])
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if m := Ask(ctx, demo(t), who, []policy.Target{shop}, "public", "orders", time.Now()); !m.Cut {
		t.Error("a matrix that was ended says that it is whole")
	}
}
