//go:build !modtest

package main

import "dragoman.dev/dragoman/filters"

// httpKinds are the HTTP filters that this module offers.
func httpKinds() []filters.HTTPKind { return nil }
