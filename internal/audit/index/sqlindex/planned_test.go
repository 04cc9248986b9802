//go:build !race

package sqlindex

// planned is how many sessions the plans are looked at with; `make bench-audit` has a million.
const planned = 20_000
