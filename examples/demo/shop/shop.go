// Package shop is the demo's database: customers with things worth hiding, and
// their orders. The demo and the tests of its policy fill it.
package shop

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/pgserver"
)

//go:embed shop.sql
var schema string

// How many rows the tables have.
const (
	Customers = 1200
	Orders    = 5000
)

// User is the role that the gateway logs in as.
const User = "dragoman_demo"

// Fill makes the database `shop` on the server, with the password for User:
// the same rows at every start.
func Fill(ctx context.Context, s *pgserver.Server, password string) error {
	root, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = root.Exec(ctx, "CREATE DATABASE shop")
	root.Close(ctx)
	if err != nil {
		return err
	}
	db, err := pgx.Connect(ctx, s.URL("shop"))
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	if _, err := db.Exec(ctx, strings.ReplaceAll(schema, "@PASSWORD@", password)); err != nil {
		return fmt.Errorf("creating the demo's tables: %w", err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	if err := copyRows(ctx, db, "customers", []string{"id", "name", "email", "ssn", "card", "notes"}, Customers,
		func(i int) []any { return customer(rng, i+1) }); err != nil {
		return err
	}
	if err := copyRows(ctx, db, "orders", []string{"id", "customer_id", "item", "quantity", "amount", "placed_at"}, Orders,
		func(i int) []any { return order(rng, i+1) }); err != nil {
		return err
	}
	_, err = db.Exec(ctx, "ANALYZE")
	return err
}

func copyRows(ctx context.Context, db *pgx.Conn, table string, columns []string, n int, row func(int) []any) error {
	_, err := db.CopyFrom(ctx, pgx.Identifier{table}, columns,
		pgx.CopyFromSlice(n, func(i int) ([]any, error) { return row(i), nil }))
	if err != nil {
		return fmt.Errorf("filling %s: %w", table, err)
	}
	return nil
}

var (
	first = []string{"Ada", "Bela", "Chidi", "Dana", "Emre", "Fatou", "Goro", "Hana", "Ines", "Jonas", "Kemal", "Lena", "Mira", "Nils", "Oya", "Priya"}
	last  = []string{"Aydin", "Bauer", "Castro", "Duran", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jansen", "Kaya", "Lopez", "Moreau", "Novak", "Okafor", "Petrov"}
	items = []string{"lamp", "kettle", "rug", "mirror", "chair", "clock", "kilim", "tea glasses"}
)

func customer(rng *rand.Rand, id int) []any {
	f, l := first[rng.IntN(len(first))], last[rng.IntN(len(last))]
	email := fmt.Sprintf("%s.%s%d@example.com", strings.ToLower(f), strings.ToLower(l), id)
	ssn := fmt.Sprintf("%03d-%02d-%04d", 100+rng.IntN(500), 1+rng.IntN(98), 1+rng.IntN(9998))
	notes := "likes " + items[rng.IntN(len(items))]
	if id%50 == 0 {
		notes += "; asked to be called at +1 415 555 " + fmt.Sprintf("%04d", rng.IntN(10000))
	}
	return []any{id, f + " " + l, email, ssn, card(rng), notes}
}

// card is a Visa-shaped number with a right check digit; none was ever issued.
func card(rng *rand.Rand) string {
	digits := []byte("400000")
	for len(digits) < 15 {
		digits = append(digits, byte('0'+rng.IntN(10)))
	}
	sum := 0
	for i, d := range digits {
		v := int(d - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return string(append(digits, byte('0'+(10-sum%10)%10)))
}

func order(rng *rand.Rand, id int) []any {
	n := 1 + rng.IntN(5)
	return []any{id, 1 + rng.IntN(Customers), items[rng.IntN(len(items))], n,
		fmt.Sprintf("%d.%02d", n*(5+rng.IntN(90)), rng.IntN(100)),
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rng.IntN(300*24)) * time.Hour)}
}
