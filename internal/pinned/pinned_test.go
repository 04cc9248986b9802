package pinned

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckSHA256(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if err := CheckSHA256(path, abc); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"", strings.ToUpper(abc), abc[:63] + "e"} {
		if CheckSHA256(path, want) == nil {
			t.Errorf("%q was accepted", want)
		}
	}
	if CheckSHA256(path+"x", abc) == nil {
		t.Error("a file that is not there was accepted")
	}
}

func TestLockExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "lock")
	unlock, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		second, err := Lock(path)
		if err != nil {
			t.Error(err)
			return
		}
		order <- "second"
		second()
	}()
	order <- "first"
	unlock()
	<-done
	if got := <-order; got != "first" {
		t.Errorf("%s came first", got)
	}
}
