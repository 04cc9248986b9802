// Package envoy gets, configures and runs the stock Envoy that our filters live
// in: the pinned version (Ensure), the bootstrap that points it at our ADS
// server (Bootstrap), and the child process with its log, restarts and drain
// (Run), and its admin socket (Admin).
//
// It leaves the content of xDS to package xds, and the filters to package
// filters. envoytest starts a real one for tests.
package envoy
