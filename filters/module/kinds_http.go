//go:build !modtest

package main

import (
	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/http"
)

// httpKinds are the HTTP filters that this module offers.
func httpKinds() []filters.HTTPKind { return []filters.HTTPKind{http.Kind(runtime().Runtime)} }
