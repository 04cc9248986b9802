//go:build !modtest

package main

import (
	"os"
	"sync"

	"dragoman.dev/dragoman/filters"
	"dragoman.dev/dragoman/filters/mysql"
	"dragoman.dev/dragoman/filters/postgres"
	"dragoman.dev/dragoman/filters/session"
)

// runtime is what all filters of this Envoy process share. It is made at the
// first config that Envoy loads; when it cannot be, every session is refused
// with the reason.
var runtime = sync.OnceValue(func() *session.Runtime {
	log := newLogger()
	rt, err := session.NewRuntime(os.Getenv, log)
	if err != nil {
		log.Error("this Envoy can open no session", "error", err)
	}
	return rt
})

// mysqlModule is what the two MySQL filters share.
var mysqlModule = sync.OnceValue(func() *mysql.Module { return mysql.New(runtime()) })

// networkKinds and listenerKinds are all that this module offers. They are called
// once, at the first config that Envoy loads.
func networkKinds() []filters.NetworkKind {
	return []filters.NetworkKind{postgres.Kind(runtime()), mysqlModule().Kind()}
}

func listenerKinds() []filters.ListenerKind {
	return []filters.ListenerKind{postgres.ListenerKind(), mysqlModule().ListenerKind()}
}
