// Package rdpe2e tests targets of protocol rdp end to end: FreeRDP's client, a real Envoy, xrdp, and FreeRDP's shadow server with network
// level authentication. `make test-rdp` runs it. Its tests carry the build tag rdp, since they need X programs and root.
package rdpe2e
