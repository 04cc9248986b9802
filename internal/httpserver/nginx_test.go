package httpserver

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

func TestNginx(t *testing.T) {
	bin, err := Ensure(context.Background(), filepath.Join("..", "..", ".tools"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	n, err := Start(Options{Bin: bin, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	if err := os.WriteFile(filepath.Join(dir, "html", "a.txt"), []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get("http://" + n.Addr + "/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); string(b) != "hello\n" {
		t.Fatalf("%q", b)
	}
	if lines, err := n.Log(); err != nil || len(lines) != 1 || lines[0] != "GET /a.txt HTTP/1.1|200|"+n.Addr {
		t.Fatal(lines, err)
	}
}
