package backtest

import (
	"encoding/json"
	"testing"

	"dragoman.dev/dragoman/internal/backtest/backtesttest"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
	"dragoman.dev/dragoman/internal/sql/pgsql"
)

// shopCatalog has what makes lineage hard: a view, a view of it, a partition, a generated column, functions that
// are opaque or return rows.
const shopCatalog = `{"v":1,"path":["pg_catalog","public"],"schemas":["pg_catalog","public","hr"],
"rels":[
[20000,"public","customers","r",null,null,20001,[[1,"id",23,true,null],[2,"name",25,false,null],[3,"email",25,false,null],[4,"ssn",25,false,null],[5,"email_lower",25,false,"lower(email)"]],false,false,false],
[20010,"public","orders","p",null,null,20011,[[1,"id",23,true,null],[2,"customer_id",23,false,null],[3,"total",23,false,null],[4,"notes",25,false,null]],false,false,false],
[20020,"public","orders_2026","r",[20010],null,20021,[[1,"id",23,true,null],[2,"customer_id",23,false,null],[3,"total",23,false,null],[4,"notes",25,false,null]],false,false,false],
[20030,"public","contacts","v",null,"SELECT customers.id, customers.email AS mail FROM customers",20031,[[1,"id",23,false,null],[2,"mail",25,false,null]],false,false,false],
[20040,"public","mails","v",null,"SELECT contacts.mail AS m FROM contacts",20041,[[1,"m",25,false,null]],false,false,false],
[20050,"hr","customers","r",null,null,20051,[[1,"ssn",25,false,null],[2,"pay",23,false,null]],false,false,false]],
"builtins":[["lower","i","f",false,25,[]],["count","i","a",false,20,[]],["max","i","a",false,0,null],["unnest","i","f",true,2283,[]],["generate_series","i","f",true,0,null]],
"funcs":[["public","secret","f","v","plpgsql",false,null,false,25,[]]],
"types":[[16,"pg_catalog","bool","b",0,0,0,false],[20,"pg_catalog","int8","b",0,0,0,false],[23,"pg_catalog","int4","b",0,0,0,false],[25,"pg_catalog","text","b",0,0,0,false]],
"ops":[],"casts":[]}`

var texts = []string{
	"SELECT id FROM orders WHERE id = 1",
	"SELECT * FROM customers WHERE id = $1",
	"SELECT name, email FROM customers",
	"SELECT id FROM customers WHERE email = 'x'",
	"SELECT id FROM customers ORDER BY name",
	"SELECT * FROM customers ORDER BY 3",
	"SELECT * FROM customers AS c(a, b, d, e) WHERE b = 'x'",
	"SELECT x.a FROM customers x(a, b) WHERE a = 1",
	"SELECT x.b FROM customers x(a, b)",
	"SELECT DISTINCT email FROM customers",
	"SELECT email FROM customers GROUP BY 1",
	"SELECT count(*) FROM customers",
	"SELECT count(*) FROM customers WHERE ssn = '1'",
	"SELECT lower(email) FROM customers",
	"SELECT secret(), email FROM customers",
	"SELECT email_lower FROM customers WHERE id = 1",
	"SELECT id FROM customers WHERE email_lower = 'x'",
	"SELECT mail FROM contacts WHERE id = 1",
	"SELECT id FROM contacts WHERE mail = 'x'",
	"SELECT m FROM mails ORDER BY m",
	"SELECT notes FROM orders_2026 WHERE total > 3",
	"SELECT id FROM orders_2026 WHERE notes = 'x'",
	"SELECT id FROM orders WHERE notes = 'x'",
	"SELECT o.id, c.email FROM orders o JOIN customers c ON c.id = o.customer_id",
	"SELECT o.id FROM orders o JOIN customers c USING (id) WHERE c.ssn IS NULL",
	"SELECT * FROM orders NATURAL JOIN customers",
	"SELECT customers FROM customers",
	"SELECT email FROM customers UNION SELECT notes FROM orders",
	"SELECT * FROM hr.customers JOIN customers ON true WHERE customers.ssn = '1'",
	"SELECT pay FROM hr.customers h, customers c WHERE h.ssn = c.ssn",
	"WITH c AS (SELECT id, ssn AS s FROM customers) SELECT id FROM c WHERE s = '1'",
	"SELECT id FROM orders WHERE EXISTS (SELECT FROM customers WHERE customers.id = customer_id AND email = 'x')",
	"SELECT email::text FROM customers WHERE id::int8 = 4",
	"SELECT E'\\x41', email FROM customers",
	"UPDATE customers SET name = email WHERE id = 1",
	"UPDATE customers SET email = email WHERE id = 1",
	"UPDATE customers SET name = 'x' WHERE ssn = '1'",
	"UPDATE orders SET (notes, total) = (SELECT ssn, id FROM customers LIMIT 1) WHERE id = 1",
	"DELETE FROM orders WHERE notes = 'x' RETURNING *",
	"DELETE FROM customers",
	"INSERT INTO orders SELECT id, id, id, ssn FROM customers",
	"INSERT INTO orders (id, notes) VALUES (1, 'x')",
	"INSERT INTO customers (name) VALUES ('x') RETURNING email",
	"SELECT unnest(ARRAY[email]) FROM customers",
	"SELECT * FROM generate_series(1, 2) g, customers",
	"TABLE customers",
	"VALUES (1)",
	"EXPLAIN SELECT id FROM customers WHERE email = 'x'",
	"PREPARE p AS SELECT id FROM customers WHERE email = $1",
	"PREPARE p AS UPDATE customers SET name = $1 WHERE id = 1",
	"DECLARE c CURSOR FOR SELECT email FROM customers",
	"BEGIN", "SET application_name = 'x'", "SHOW work_mem", "SELECT nothing FROM customers", "SELECT 1 FROM nowhere",
	"COPY customers (id, email) TO STDOUT", "COPY (SELECT email FROM customers ORDER BY ssn) TO STDOUT", "TRUNCATE orders",
}

func maskPolicies(t *testing.T) map[string]*policy.Engine {
	allow := func(name string, w policy.When, features ...string) policy.Rule {
		return policy.Rule{Name: name, Verdict: "allow", When: w, FeaturesAllowed: features}
	}
	free := allow("free", policy.When{}, "unresolved", "opaque", "unknown_statement")
	reads := allow("reads", policy.When{Verbs: []string{"select", "explain", "copy"}, Tables: []string{"*.*"}})
	mask := func(name, predicates string, columns ...string) policy.MaskRule {
		return policy.MaskRule{Name: name, Columns: columns, Predicates: predicates}
	}
	all := map[string]*policy.Engine{}
	for rules, rs := range map[string][]policy.Rule{"all": {allow("all", policy.When{})}, "free": {free}, "reads": {reads}, "none": nil} {
		for masks, ms := range map[string][]policy.MaskRule{
			"none": nil, "email": {mask("m", "", "public.customers.email")}, "email-allowed": {mask("m", "allow", "public.customers.email")},
			"ssn": {mask("m", "", "*.ssn")}, "notes": {mask("m", "", "orders.notes")}, "name": {mask("n", "allow", "customers.name"), mask("m", "", "customers.email")},
			"view": {mask("m", "", "contacts.mail")}, "everything": {mask("m", "", "*.*.*")}, "detector": {{Name: "d", Detectors: []string{"email"}}},
		} {
			all[rules+"+"+masks] = engineOf(t, policy.Source{Rules: rs, Masks: ms})
		}
	}
	return all
}

func statements(t *testing.T) []*sql.Statement {
	cat, err := pgsql.DecodeCatalog([]byte(shopCatalog))
	must(t, err)
	var all []*sql.Statement
	for _, text := range texts {
		sts, err := pgsql.Analyze(text, pgsql.Env{Catalog: cat, Path: []string{"pg_catalog", "public"}, Strings: true})
		must(t, err)
		all = append(all, sts...)
	}
	return all
}

// Whatever policy judged then and whatever judges now: what the backtest is sure of is what the policy says with the
// statement itself at hand; and where it is not sure, the truth is between its bounds.
func TestSureIsTrue(t *testing.T) {
	engines, sts := maskPolicies(t), statements(t)
	open := backtesttest.Open("ses_00000000000000000000000001", start, "shop", []string{"analysts"}, "user:x")
	records := map[string][]*payload{}
	for name, e := range engines {
		for _, st := range sts {
			body, err := json.Marshal(backtesttest.Judge(e, open, st))
			must(t, err)
			p := &payload{}
			must(t, json.Unmarshal(body, p))
			records[name] = append(records[name], p)
		}
	}
	counts, failures := map[certainty]int{}, 0
	for now, e := range engines {
		w := newWorker(&run{opt: Options{Engine: e, Examples: 1}})
		w.protocol = "postgres"
		j := w.handle.Session(open.Identity, open.Target, open.Session)
		for old := range engines {
			for i, p := range records[old] {
				v, truth := w.again(t.Context(), j, p), records[now][i].Decision
				counts[v.certainty]++
				ok := v.Verdict == truth.Verdict || v.certainty == unsure && (truth.Verdict == policy.Block)
				if !ok {
					if failures++; failures < 60 {
						t.Errorf("%s → %s: %s\n  was %s by %s; truly %s by %s, said %s by %s (%d)", old, now, p.Action.Text,
							p.Decision.Verdict, p.Decision.Rule, truth.Verdict, truth.Rule, v.Verdict, v.Rule, v.certainty)
					}
				}
			}
		}
	}
	t.Logf("exact %d, carried %d, analysed %d, unsure %d; %d wrong", counts[exact], counts[carried], counts[analysedAgain], counts[unsure], failures)
}
