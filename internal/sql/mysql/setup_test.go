package mysql

import (
	"testing"

	"dragoman.dev/dragoman/internal/sql"
)

// shop is a small catalog, as a server would give it.
func shop(t testing.TB) *Catalog {
	t.Helper()
	cols := func(db, table string, names ...string) (out [][]string) {
		for _, n := range names {
			out = append(out, []string{db, table, n, ""})
		}
		return out
	}
	var columns [][]string
	for _, more := range [][][]string{
		cols("information_schema", "COLUMNS", "TABLE_NAME", "COLUMN_NAME"), cols("information_schema", "PROCESSLIST", "ID", "INFO"),
		cols("mysql", "user", "Host", "User", "authentication_string"),
		cols("shop", "customer_emails", "id", "mail"), cols("shop", "customers", "id", "name", "email", "ssn"),
		{{"shop", "customers", "ssn_tail", "right(`ssn`,4)"}},
		cols("shop", "odd", "x"), cols("shop", "orders", "id", "customer_id", "total", "note"), cols("shop", "top", "id", "m"),
	} {
		columns = append(columns, more...)
	}
	c, err := Decode([][][]string{
		{{"10.11.19-MariaDB", "0"}},
		columns,
		{
			{"shop", "top", "select `shop`.`customer_emails`.`id` AS `id`,lower(`shop`.`customer_emails`.`mail`) AS `m` from `shop`.`customer_emails`"},
			{"shop", "customer_emails", "select `shop`.`customers`.`id` AS `id`,`shop`.`customers`.`email` AS `mail` from `shop`.`customers`"},
			{"shop", "odd", "this is no query"},
		},
		{{"shop", "f", "FUNCTION"}, {"shop", "p", "PROCEDURE"}},
		nil,
		{{"shop"}, {"mysql"}, {"information_schema"}},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func env(t testing.TB) Env {
	return Env{Catalog: shop(t), Database: "shop", Mode: Mode{SQLMode: "STRICT_TRANS_TABLES", MariaDB: true, Version: 101119}}
}

// one analyses a text of one statement.
func one(t testing.TB, text string) *sql.Statement {
	t.Helper()
	b := analyze(text, env(t))
	if len(b.Statements) != 1 {
		t.Fatalf("%s: %d statements", text, len(b.Statements))
	}
	return b.Statements[0]
}
