package main

import (
	"debug/elf"
	"strings"
	"testing"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/envoy/envoytest"
)

// The thread-local variables of what we ship must fit what we start Envoy with,
// beside those of other libraries.
func TestStaticTLSFits(t *testing.T) {
	if !strings.HasSuffix(envoy.StaticTLS, "=16384") {
		t.Fatalf("the limit is now %s", envoy.StaticTLS)
	}
	f, err := elf.Open(envoytest.Module(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_TLS {
			t.Logf("%d bytes", p.Memsz)
			if p.Memsz > 8192 {
				t.Errorf("%d bytes of thread-local variables", p.Memsz)
			}
		}
	}
}
