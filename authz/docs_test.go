package authz

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/config"
)

// The configuration in our pages is read by the real reader.
func TestDocs(t *testing.T) {
	const rest = "targets: [{name: shop, protocol: postgres, address: '127.0.0.1:5432', listen: '127.0.0.1:15432', credentials: {user: app, password: env:PW}}]\npolicy: {dir: policy}\n"
	n := 0
	for _, page := range []string{"identity.md", "approvals.md"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
			snippet, _, _ := strings.Cut(block, "```")
			if _, err := config.Parse([]byte(rest+snippet), filepath.Join(t.TempDir(), "dragoman.yaml")); err != nil {
				t.Errorf("%s: %v\n%s", page, err, snippet)
			}
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d snippets", n)
	}
}
