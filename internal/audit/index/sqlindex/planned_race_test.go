//go:build race

package sqlindex

// planned: with the race detector it takes ten times as long to fill an index.
const planned = 3_000
