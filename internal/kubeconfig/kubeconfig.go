// Package kubeconfig writes what kubectl and other clients of a Kubernetes API need to come through the gateway: a
// kubeconfig, and the answer of its credential plugin (client.authentication.k8s.io/v1).
package kubeconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// TokenVariable is the environment variable that has the token when no file is named.
const TokenVariable = "DRAGOMAN_TOKEN"

const execVersion = "client.authentication.k8s.io/v1"

// Access is what a client has to know of a target.
type Access struct {
	Name   string // of the cluster, the user and the context
	Server string // https://host:port
	CA     []byte // PEM; empty: the machine's own authorities
	// Command prints the credential each time that kubectl needs one; Args follow it.
	Command string
	Args    []string
}

type named map[string]any

// YAML is the kubeconfig. It has no secret in it.
func (a Access) YAML() ([]byte, error) {
	cluster := named{"server": a.Server}
	if len(a.CA) > 0 {
		cluster["certificate-authority-data"] = base64.StdEncoding.EncodeToString(a.CA)
	}
	plugin := named{"apiVersion": execVersion, "command": a.Command, "args": a.Args, "interactiveMode": "Never", "provideClusterInfo": false,
		"installHint": "dragoman prints the credential; it must be on the PATH"}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	err := e.Encode(named{
		"apiVersion": "v1", "kind": "Config", "current-context": a.Name,
		"clusters": []named{{"name": a.Name, "cluster": cluster}},
		"users":    []named{{"name": a.Name, "user": named{"exec": plugin}}},
		"contexts": []named{{"name": a.Name, "context": named{"cluster": a.Name, "user": a.Name}}},
	})
	return out.Bytes(), err
}

// Token is the token in a file, or without one in the environment.
func Token(file string, getenv func(string) string) (string, error) {
	text, from := getenv(TokenVariable), TokenVariable
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		text, from = string(b), file
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", fmt.Errorf("no token in %s: dragoman token create makes one", from)
	}
	return text, nil
}

// ErrEnded says that a token has come to its end.
var ErrEnded = errors.New("the token has expired: dragoman token create makes a new one")

// Credential is the plugin's answer. kubectl asks again when the token has come to its end, which it is told.
func Credential(token string, now time.Time) ([]byte, error) {
	status := named{"token": token}
	if ends, ok := expiry(token); ok {
		if !ends.After(now) {
			return nil, ErrEnded
		}
		status["expirationTimestamp"] = ends.UTC().Format(time.RFC3339)
	}
	return json.Marshal(named{"apiVersion": execVersion, "kind": "ExecCredential", "status": status})
}

// expiry reads a token's end without verifying anything: the gateway does that.
func expiry(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if json.Unmarshal(b, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}, false
	}
	return time.Unix(claims.Exp, 0), true
}
