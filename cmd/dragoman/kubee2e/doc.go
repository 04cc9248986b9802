// Package kubee2e tests targets of protocol kubernetes end to end: real clients, a real Envoy, and a
// real cluster of one node (internal/kubecluster). `make test-kube` runs it. Its tests carry the build tag
// kube, since they need a cluster, which takes long to build the first time and root to run.
package kubee2e
