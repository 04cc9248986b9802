package kubeconfig

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

func TestYAML(t *testing.T) {
	b, err := Access{Name: "prod", Server: "https://gw.example.com:6443", CA: []byte("PEM"), Command: "dragoman", Args: []string{"kubeconfig", "credential"}}.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Current  string `yaml:"current-context"`
		Clusters []struct {
			Cluster struct {
				Server string
				CA     string `yaml:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct{ Exec struct{ Command string } }
		}
	}
	if err := yaml.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Current != "prod" || got.Clusters[0].Cluster.Server != "https://gw.example.com:6443" || got.Users[0].User.Exec.Command != "dragoman" ||
		got.Clusters[0].Cluster.CA != base64.StdEncoding.EncodeToString([]byte("PEM")) {
		t.Errorf("%s", b)
	}
}

func TestCredential(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	token := func(exp int64) string {
		return "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, exp)) + ".x"
	}
	b, err := Credential(token(now.Unix()+60), now)
	var got struct {
		Kind   string
		Status struct{ Token, ExpirationTimestamp string }
	}
	if err != nil || json.Unmarshal(b, &got) != nil || got.Kind != "ExecCredential" || got.Status.Token != token(now.Unix()+60) ||
		got.Status.ExpirationTimestamp != "2027-01-15T08:01:00Z" {
		t.Errorf("%s %v", b, err)
	}
	if _, err := Credential(token(now.Unix()), now); !errors.Is(err, ErrEnded) {
		t.Errorf("a token that has ended: %v", err)
	}
	if b, err := Credential("opaque", now); err != nil || strings.Contains(string(b), "expiration") {
		t.Errorf("%s %v", b, err)
	}
}

func TestToken(t *testing.T) {
	none := func(string) string { return "" }
	if _, err := Token("", none); err == nil || !strings.Contains(err.Error(), TokenVariable) {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if _, err := Token(file, none); err == nil {
		t.Error("no file, no error")
	}
	if err := os.WriteFile(file, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Token(file, func(string) string { return "other" }); err != nil || got != "abc" {
		t.Error(got, err)
	}
}
