package e2erig

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// dataLine names an example's own data folder; who runs one has another.
var dataLine = regexp.MustCompile(`(?m)^data:.*\n`)

// Example reads an example's configuration and policy, by name as in its folder, without `data`. What is replaced in the
// configuration are pairs; each has to be there.
func Example(dir string, replace ...string) (map[string]string, error) {
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(dir, "policy", "*"))
	if err != nil {
		return nil, err
	}
	for _, path := range append(paths, filepath.Join(dir, "dragoman.yaml")) {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return nil, err
		}
		files[name] = string(b)
	}
	text := files["dragoman.yaml"]
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			return nil, fmt.Errorf("%s does not name %s", dir, replace[i])
		}
	}
	files["dragoman.yaml"] = dataLine.ReplaceAllString(strings.NewReplacer(replace...).Replace(text), "")
	return files, nil
}
