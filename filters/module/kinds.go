//go:build !modtest

package main

import "dragoman.dev/dragoman/filters"

// networkKinds and listenerKinds are all that this module offers. They are called
// once, at the first config that Envoy loads.
func networkKinds() []filters.NetworkKind {
	return []filters.NetworkKind{}
}

func listenerKinds() []filters.ListenerKind {
	return []filters.ListenerKind{}
}
