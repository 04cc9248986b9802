package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "dragoman.dev/dragoman/"

// rooms never import each other; they meet here, or share a leaf under internal.
var rooms = []string{"xds", "filters", "authz", "sshbridge", "web"}

// roomOf is the first folder of a package of this module.
func roomOf(path string) string {
	rest, ok := strings.CutPrefix(path, module)
	if !ok {
		return ""
	}
	room, _, _ := strings.Cut(rest, "/")
	return room
}

// programs are folders of internal that are no nouns but programs of the
// project's own making: what fetches tools, what measures.
var programs = []string{"internal/tools", "internal/bench", "internal/peers"}

func isProgram(path string) bool {
	for _, p := range programs {
		if path == module+p || strings.HasPrefix(path, module+p+"/") {
			return true
		}
	}
	return false
}

// TestRooms enforces the rule of docs/architecture.md for the whole module, tests included.
func TestRooms(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	isRoom := map[string]bool{}
	for _, r := range rooms {
		isRoom[r] = true
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; seen++ {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := roomOf(p.ImportPath)
		for _, list := range [][]string{p.Imports, p.TestImports, p.XTestImports} {
			for _, to := range list {
				switch target := roomOf(to); {
				case target == "" || target == from:
				case isRoom[from] && isRoom[target]:
					t.Errorf("%s imports %s: rooms never import each other", p.ImportPath, to)
				case from == "internal" && !isProgram(p.ImportPath) && (isRoom[target] || target == "cmd" || target == "envoy"):
					t.Errorf("%s imports %s: what is internal knows nothing of the rooms", p.ImportPath, to)
				}
			}
		}
	}
	if seen < 20 {
		t.Fatalf("only %d packages were seen", seen)
	}
}
