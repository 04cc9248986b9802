//go:build kube

package kubee2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/envoy"
	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/kubecluster"
)

const repo = "../../.."

// limit bounds every wait for a condition.
const limit = 60 * time.Second

// rig is a gateway in front of a real cluster, with a pod "shell". All tests share it.
type rig struct {
	*e2erig.Up
	cluster *kubecluster.Cluster
	port    int
	spdy    int // of a target whose streams are carried over SPDY
	locked  int // of a target without shells, whose clients may have certificates
	old     int // of a target that speaks SPDY only, as API servers before 1.30 do
	before  *before
	edge    *e2erig.Edge
	aside   int    // of a target that the edge serves
	envoy   string // its binary
	account string // the token of the gateway's account
}

var shared *rig

func TestMain(m *testing.M) {
	var err error
	code := 1
	if shared, err = newRig(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "kubee2e:", err)
	} else {
		if code = m.Run(); code == 0 {
			if err := writeFigures(); err != nil {
				fmt.Fprintln(os.Stderr, "kubee2e:", err)
				code = 1
			}
		}
	}
	shared.stop(code != 0)
	os.Exit(code)
}

const rules = `rules:
  - {name: open, verdict: allow, when: {groups: [ops], kinds: [connect]}}
  - {name: api, verdict: allow, when: {groups: [ops], kinds: [http, kube]}}
  - {name: ops, verdict: allow, when: {groups: [ops], kinds: [exec, shell]}}
  - {name: forward, verdict: allow, when: {groups: [ops], kinds: [forward]}}
  - {name: no-7070, verdict: block, when: {kinds: [forward], paths: ["web.default:7070"]}, reason: that port is nobody's business}
  - {name: ask-forward, verdict: hold, when: {kinds: [forward], paths: ["web.default:8081"]}, approvers: [leads], reason: people decide about that port}
  - {name: no-rm, verdict: block, when: {commands: [rm]}, reason: nothing is removed here, hint: ask for a ticket}
  - {name: system, verdict: block, when: {namespaces: [kube-system], resources: [pods/exec]}, reason: not in kube-system}
  - {name: ask, verdict: hold, when: {groups: [ops], commands: [touch]}, approvers: [leads], reason: people decide about new files, hint: use the queue}
  - {name: ask-delete, verdict: hold, when: {groups: [ops], verbs: [delete], resources: [configmaps], names: ["held-*"]}, approvers: [leads], reason: people decide what is deleted, hint: rename it}
  - {name: keep, verdict: block, when: {verbs: [delete], resources: [configmaps], names: ["kept-*"]}, reason: these stay, hint: rename it}
  - {name: minters, verdict: allow, when: {groups: [minters], kinds: [kube]}, features_allowed: [credentials]}
  - {name: guests, verdict: allow, when: {groups: [guests]}}
masks:
  - {name: pii, detectors: [email], opaque: allow}
  - {name: notes, resources: [configmaps], json: ["$..note"]}
`

func newRig(ctx context.Context) (*rig, error) {
	up, err := e2erig.New(limit)
	r := &rig{Up: up}
	if err != nil {
		return r, err
	}
	tools, err := kubecluster.Ensure(ctx, filepath.Join(repo, ".tools"), os.Stderr)
	if err != nil {
		return r, err
	}
	if r.cluster, err = kubecluster.Start(ctx, tools); err != nil {
		return r, err
	}
	for namespace, pod := range map[string]string{"default": "shell", "kube-system": "system"} {
		if err := r.cluster.Pod(ctx, namespace, pod); err != nil {
			return r, fmt.Errorf("%w\n%s", err, r.cluster.Logs())
		}
	}
	return r, r.start(ctx)
}

// start writes the configuration and runs `dragoman up`.
func (r *rig) start(ctx context.Context) error {
	token, err := r.serviceAccount(ctx)
	if err != nil {
		return err
	}
	cert, key, err := r.cluster.ClientCert("gateway")
	if err != nil {
		return err
	}
	if r.before, err = newBefore(r.cluster); err != nil {
		return err
	}
	if r.envoy, err = envoy.Ensure(ctx, filepath.Join(repo, ".tools"), envoy.Version); err != nil {
		return err
	}
	head, err := r.Head(r.envoy, envoy.Version)
	if err != nil {
		return err
	}
	if r.edge, err = r.NewEdge(); err != nil {
		return err
	}
	r.account, r.aside = token, e2erig.FreePort()
	r.port, r.spdy, r.locked, r.old = e2erig.FreePort(), e2erig.FreePort(), e2erig.FreePort(), e2erig.FreePort()
	if err := r.Write(map[string]string{"policy/rules.yaml": rules,
		"token": "Bearer " + token, "gw.crt": string(cert), "gw.key": string(key),
		"dragoman.yaml": r.edge.In(head) + fmt.Sprintf(`targets:
  - name: prod
    protocol: kubernetes
    address: %s
    listen: 127.0.0.1:%d
    credentials: {header: Authorization, value: "file:token"}
    tls: {client: {cert: gw.crt, key: gw.key}, upstream: {mode: verify-full, ca: %s}}
  - name: spdy
    protocol: kubernetes
    address: %[1]s
    listen: 127.0.0.1:%[4]d
    credentials: {header: Authorization, value: "file:token"}
    tls: {client: {cert: gw.crt, key: gw.key}, upstream: {mode: verify-full, ca: %[3]s}}
    kubernetes: {streams: spdy, forward: true}
  - name: locked
    protocol: kubernetes
    address: %[1]s
    listen: 127.0.0.1:%[5]d
    credentials: {header: Authorization, value: "file:token"}
    tls: {client: {cert: gw.crt, key: gw.key, client_ca: %[3]s}, upstream: {mode: verify-full, ca: %[3]s}}
    kubernetes: {exec_only: true}
  - name: old
    protocol: kubernetes
    address: %[6]s
    listen: 127.0.0.1:%[7]d
    credentials: {header: Authorization, value: "file:token"}
    tls: {client: {cert: gw.crt, key: gw.key}, upstream: {mode: verify-full, ca: %[3]s}}
  - name: aside
    protocol: kubernetes
    nodes: [edge]
    address: %[1]s
    listen: 127.0.0.1:%[9]d
    credentials: {header: Authorization, value: "file:token"}
    tls: {client: {cert: gw.crt, key: gw.key}, upstream: {mode: verify-full, ca: %[3]s}}
identity: {spiffe: [{name: example.org, groups: [ops]}]}
policy: {dir: policy}
admin: {listen: "127.0.0.1:%[8]d"}
`, strings.TrimPrefix(r.cluster.Server, "https://"), r.port, r.cluster.CAFile, r.spdy, r.locked, r.before.address(), r.old, e2erig.FreePort(), r.aside)}); err != nil {
		return err
	}
	return r.Launch()
}

// serviceAccount makes the account that the gateway acts as.
func (r *rig) serviceAccount(ctx context.Context) (string, error) {
	for _, args := range [][]string{{"create", "serviceaccount", "gateway"},
		{"create", "clusterrolebinding", "gateway", "--clusterrole=cluster-admin", "--serviceaccount=default:gateway"},
		{"create", "clusterrolebinding", "ops", "--clusterrole=cluster-admin", "--group=ops"}} {
		if _, err := r.cluster.Kubectl(ctx, args...); err != nil {
			return "", err
		}
	}
	token, err := r.cluster.Kubectl(ctx, "create", "token", "gateway", "--duration=2h")
	return strings.TrimSpace(string(token)), err
}

func (r *rig) await(cond func() bool) error { return r.Await("what is asked for", cond) }

func (r *rig) stop(failed bool) {
	if r.Up != nil {
		r.End(failed, os.Stderr)
	}
	if r.cluster != nil {
		r.cluster.Stop()
	}
}

func (r *rig) token(t *testing.T, groups ...string) string {
	t.Helper()
	return r.Token(t, "agent:ci-bot", "user:alice@example.com", groups...)
}

// kubeconfig is an ordinary one with a token.
func (r *rig) kubeconfig(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", certificate-authority: %q}}]
users: [{name: u, user: {token: %q}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`, r.port, r.cluster.CAFile, token)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubectl is a command of kubectl with a token.
func (r *rig) kubectl(t *testing.T, token string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, r.cluster.Tools.Kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+r.kubeconfig(t, token))
	return cmd
}

// at is the same gateway at another target's port.
func (r *rig) at(port int) *rig {
	other := *r
	other.port = port
	return &other
}

// output runs a command.
func output(t *testing.T, cmd *exec.Cmd, stdin string) (stdout, stderr string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// tls believes the gateway's certificate.
func (r *rig) tls(t *testing.T) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(r.cluster.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots}
}
