package snapshot

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/encoding/protojson"
	"gopkg.in/yaml.v3"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// bundle is a small policy: what it says does not matter here.
var bundle = policy.Bundle{
	Revision: "r1",
	Modules:  map[string]string{"main.rego": "package dragoman.user\n"},
	Data:     map[string]any{"dragoman": map[string]any{"rules": []any{}}},
}

// pem stands for the files that the config names.
func pem(path string) ([]byte, error) { return []byte("PEM of " + filepath.Base(path) + "\n"), nil }

// TestGolden builds testdata/NAME.in.yaml for each of its nodes and compares with
// testdata/NAME.NODE.out.yaml.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatal("no input", err)
	}
	for _, in := range inputs {
		name := strings.TrimSuffix(filepath.Base(in), ".in.yaml")
		cfg := load(t, in)
		for _, node := range cfg.NodeNames() {
			t.Run(name+"/"+node, func(t *testing.T) {
				s, err := Build(cfg, bundle, node, pem)
				if err != nil {
					t.Fatal(err)
				}
				got := dump(t, s)
				golden := filepath.Join("testdata", name+"."+node+".out.yaml")
				if *update {
					if err := os.WriteFile(golden, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s differs; look at it, then run with -update\n%s", golden, got)
				}
			})
		}
	}
}

// TestNoCredentials: whatever the target's credentials are called, no resource of any
// node has them (rule 6).
func TestNoCredentials(t *testing.T) {
	inputs, _ := filepath.Glob("testdata/*.in.yaml")
	for _, in := range inputs {
		cfg := load(t, in)
		for i := range cfg.Targets {
			cfg.Targets[i].Credentials = config.Credentials{
				User: "xx-the-user", Password: "file:/xx-the-password", Database: "xx-the-database"}
		}
		for _, node := range cfg.NodeNames() {
			s, err := Build(cfg, bundle, node, pem)
			if err != nil {
				t.Fatal(err)
			}
			if text := dump(t, s); bytes.Contains(text, []byte("xx-the-")) {
				t.Errorf("%s %s: a resource holds a credential", in, node)
			}
		}
	}
}

// TestKeysStayWithTheirNode: a node's private keys are in its own snapshot only.
func TestKeysStayWithTheirNode(t *testing.T) {
	cfg := load(t, "testdata/nodes.in.yaml")
	for node, want := range map[string][]string{
		"gateway":   {"PEM of gw.key"},
		"sidecar-a": {"PEM of a.key"},
		"sidecar-b": nil,
	} {
		s, err := Build(cfg, bundle, node, pem)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range s.Secrets {
			b, err := protojson.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var doc struct {
				TLSCertificate struct {
					PrivateKey struct {
						InlineBytes []byte `json:"inlineBytes"`
					} `json:"privateKey"`
				} `json:"tlsCertificate"`
			}
			if err := json.Unmarshal(b, &doc); err != nil {
				t.Fatal(err)
			}
			if k := doc.TLSCertificate.PrivateKey.InlineBytes; len(k) > 0 {
				got = append(got, strings.TrimSpace(string(k)))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has keys %q, want %q", node, got, want)
		}
	}
}

func TestUnknownNode(t *testing.T) {
	if _, err := Build(load(t, "testdata/nodes.in.yaml"), bundle, "stranger", pem); err == nil {
		t.Fatal("a stranger got a snapshot")
	}
}

// TestVersion: equal content, equal version; a policy push changes the extension
// only.
func TestVersion(t *testing.T) {
	cfg := load(t, "testdata/plain.in.yaml")
	a, err := Build(cfg, bundle, "gateway", pem)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := Build(cfg, bundle, "gateway", pem)
	if a.Version != b.Version {
		t.Error("the same input gave two versions")
	}
	pushed := bundle
	pushed.Revision = "r2"
	c, _ := Build(cfg, pushed, "gateway", pem)
	if a.Version == c.Version {
		t.Error("a new policy gave the same version")
	}
	va, vc := versions(t, a), versions(t, c)
	for url, names := range va {
		for name, v := range names {
			changed := v != vc[url][name]
			if isExtension := strings.HasSuffix(url, "TypedExtensionConfig"); changed != isExtension {
				t.Errorf("%s %s: changed %v", url, name, changed)
			}
		}
	}
}

func versions(t *testing.T, s *Snapshot) map[string]map[string]string {
	c, err := s.Cache()
	if err != nil {
		t.Fatal(err)
	}
	return c.VersionMap
}

func load(t *testing.T, path string) *config.Config {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse(b, "/etc/dragoman/dragoman.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// dump is a snapshot as YAML, fields in protobuf's JSON form.
func dump(t *testing.T, s *Snapshot) []byte {
	t.Helper()
	doc := map[string]any{}
	for kind, list := range map[string][]types.Resource{
		"listeners": s.Listeners, "clusters": s.Clusters, "secrets": s.Secrets, "extensions": s.Extensions,
	} {
		items := []any{}
		for _, r := range list {
			b, err := protojson.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(b, &v); err != nil {
				t.Fatal(err)
			}
			items = append(items, v)
		}
		doc[kind] = items
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
