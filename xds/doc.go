// Package xds serves each Envoy its configuration over delta ADS: listeners,
// clusters, secrets and, by ECDS, our filters with the policy in them. It owns who
// gets what (a node gets its own snapshot and nothing else), what each node has
// acknowledged, and the watch on the policy folder. What is in a snapshot is
// left to package snapshot, what a policy means to internal/policy.
package xds
