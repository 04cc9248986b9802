// Package e2e holds the end-to-end tests: the real binary, a real Envoy with
// the real module, real PostgreSQL servers and real clients, all on loopback.
package e2e
