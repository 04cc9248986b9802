package pgsql

import (
	"fmt"
	"testing"
)

const benchText = "SELECT c.id, c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = 12345"

func BenchmarkAnalyzeMiss(b *testing.B) {
	env := oldest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Analyze(benchText, env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAnalyzeMissPgbench(b *testing.B) {
	env := oldest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Analyze("SELECT name FROM customers WHERE id = 12345;", env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExactHit(b *testing.B) {
	env, a := oldest(), NewAnalyzer(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Analyze(benchText, env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkShapeHit(b *testing.B) {
	env, a := oldest(), NewAnalyzer(1000)
	texts := make([]string, 100000)
	for i := range texts {
		texts[i] = fmt.Sprintf("SELECT c.id, c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = %d", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := a.Analyze(texts[i%len(texts)], env); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkShape(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = AppendShape(buf[:0], benchText)
	}
}

func BenchmarkDecodeCatalog(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCatalog(servers[0].doc); err != nil {
			b.Fatal(err)
		}
	}
}
