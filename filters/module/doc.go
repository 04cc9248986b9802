// Package main is libdragoman.so, the host of our filters on a stock Envoy: the
// only code that speaks Envoy's dynamic modules ABI, and the only cgo of ours.
//
// It owns the translation between the ABI and the contract in package filters:
// event hooks in, filters.Conn and filters.Socket out. It knows no protocol. The
// filters it offers are the lists in kinds.go.
//
// Build it with
//
//	go build -buildmode=c-shared -o libdragoman.so ./filters/module
//
// and start Envoy with ENVOY_DYNAMIC_MODULES_SEARCH_PATH and, because of the C
// parser that the postgres filter links, the GLIBC_TUNABLES that package envoy
// names (docs/decisions/0002-static-tls.md).
//
// # How the pieces map
//
//   - Conn.Write is inject_write_data: it starts behind our own filter, so no
//     hook of ours is entered again, it is ordered with what on_write delivers,
//     and it works inside and outside of on_write alike.
//   - Upstream().Write is inject_read_data. Before Connect was carried out the
//     host keeps the bytes itself: injecting any would start tcp_proxy.
//   - Connect is continue_reading. Within OnData it is carried out after the read
//     buffer is drained, so that tcp_proxy never sees a byte the filter did not
//     write.
//   - Post is a queue and one scheduler event for all that is in it.
//   - Connection events that Envoy raises while a filter's method runs (Close
//     raises them at once) are delivered when that method has returned.
//
// # What the upstream filter is told
//
// Envoy has no event for "the target is connected" on this path. From 1.39 on the
// host asks, from 1 ms after Connect and then ever less often, until it knows;
// earlier Envoys tell it by the first byte. OnPoolReady comes before the
// first OnData in any case. A target that cannot be reached is reported with
// OnPoolFailure while the client can still be told why, if the listener's
// tcp_proxy is configured as filters.ConnectAttempts says; on 1.38, or when a
// cluster vanishes, OnPoolFailure comes when Envoy has closed already.
//
// # Panics
//
// Every crossing recovers: the panic is logged with its stack, counted in the
// counter dragoman_panics of the module's metrics namespace, and the connection
// is closed. The filter still gets its closing OnEvent, so that the session's
// record ends. Goroutines that a filter starts must recover for themselves.
//
// # HTTP
//
// An HTTP filter's stream is what a connection is above: http.go has the hooks, http_stream.go the stream with the
// callbacks of Envoy's Go filter API. Heads and trailers are copied once a callback, in one piece, and changed on both
// sides at once; a piece of a body is borrowed, and copied only when it is changed. What a filter answers itself is not shown to it.
// docs/decisions/0051 says what this ABI lacks, and how it is done without.
package main
