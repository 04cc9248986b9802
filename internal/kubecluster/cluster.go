package kubecluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dragoman.dev/dragoman/internal/child"
	"dragoman.dev/dragoman/internal/localserver"
	"dragoman.dev/dragoman/internal/testca"
)

//go:embed node.sh
var nodeScript []byte

// Cluster is a running one. Stop it.
type Cluster struct {
	Server     string // https://127.0.0.1:port
	Dir        string // scratch folder, with everybody's log
	Kubeconfig string // an administrator's
	CAFile     string
	AuditLog   string // JSON lines of audit.k8s.io/v1, level Metadata
	Tools      Tools
	ca         *testca.Authority
	node       *child.Child
}

// ports are those that the programs cannot choose themselves.
type ports struct{ etcd, peer, api, kubelet int }

// tries is how often Start begins anew: a port that was free may be taken a moment later.
const tries = 3

// ready bounds the wait for a node that works.
const ready = 4 * time.Minute

// Start makes a cluster in a scratch folder and waits until its node is Ready. It needs root.
func Start(ctx context.Context, tools Tools) (*Cluster, error) {
	if err := present(); err != nil {
		return nil, err
	}
	var all error
	for range tries {
		c, err := start(ctx, tools)
		if err == nil {
			return c, nil
		}
		if all = errors.Join(all, err); ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("kubecluster: %w", all)
}

// present says what is missing before anything is started.
func present() error {
	if os.Geteuid() != 0 {
		return errors.New("kubecluster: a node runs as root only")
	}
	for _, program := range []string{"etcd", "containerd", "ctr", "runc", "unshare", "conntrack", busybox, "/usr/lib/cni/ptp"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("kubecluster: %w (go run ./internal/tools -kube installs it)", err)
		}
	}
	return nil
}

func start(ctx context.Context, tools Tools) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "dragoman-kube-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, Kubeconfig: filepath.Join(dir, "admin.kubeconfig"), CAFile: filepath.Join(dir, "pki", "ca.crt"),
		AuditLog: filepath.Join(dir, "audit.log"), Tools: tools}
	p, err := freePorts()
	if err == nil {
		err = errors.Join(c.writePKI(), c.writeConfig(p), os.WriteFile(filepath.Join(dir, "node.sh"), nodeScript, 0o755))
	}
	if err == nil {
		err = c.launch(ctx, p)
	}
	if err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) launch(ctx context.Context, p ports) error {
	log, err := os.Create(filepath.Join(c.Dir, "node.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--", filepath.Join(c.Dir, "node.sh"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + c.Dir, "DIR=" + c.Dir, "BIN=" + c.Tools.Bin,
		"ETCD=" + strconv.Itoa(p.etcd), "ETCD_PEER=" + strconv.Itoa(p.peer), "API=" + strconv.Itoa(p.api), "KUBELET=" + strconv.Itoa(p.kubelet)}
	if c.node, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ready)
	defer cancel()
	for _, ask := range [][]string{{"get", "--raw", "/readyz"}, {"wait", "--for=condition=Ready", "node/localhost", "--timeout=10s"}, {"get", "namespace", "default"}} {
		for {
			out, err := c.Kubectl(ctx, ask...)
			if err == nil {
				break
			}
			select {
			case <-c.node.Done():
				return fmt.Errorf("the node ended: %v\n%s", c.node.Wait(), c.Logs())
			case <-ctx.Done():
				return fmt.Errorf("the node is not ready: %s\n%s", out, c.Logs())
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
	return nil
}

// Logs is the end of every program's log.
func (c *Cluster) Logs() string {
	var b strings.Builder
	found, _ := filepath.Glob(filepath.Join(c.Dir, "*.log"))
	for _, f := range found {
		if text, err := os.ReadFile(f); err == nil && f != c.AuditLog {
			fmt.Fprintf(&b, "== %s\n%s\n", filepath.Base(f), text[max(0, len(text)-2000):])
		}
	}
	return b.String()
}

// Stop ends everything and removes the scratch folder.
func (c *Cluster) Stop() {
	if c.node != nil {
		c.node.End(syscall.SIGKILL, time.Minute) // the kernel ends the namespace with its first process
	}
	for _, group := range []string{"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/*/kubepods"} {
		removeGroups(group)
	}
	for range 50 { // programs of the namespace may still be on their way out
		if os.RemoveAll(c.Dir) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// removeGroups removes the control groups of pods that are gone; those of another cluster have processes and stay.
func removeGroups(pattern string) {
	roots, _ := filepath.Glob(pattern)
	for _, root := range roots {
		var all []string
		_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				all = append(all, path)
			}
			return nil
		})
		for i := len(all) - 1; i >= 0; i-- {
			_ = syscall.Rmdir(all[i])
		}
	}
}

// Kubectl runs kubectl as an administrator and gives what it prints, errors included.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Tools.Kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return out, nil
}

// Apply applies a manifest as an administrator.
func (c *Cluster) Apply(ctx context.Context, manifest string) error {
	cmd := exec.CommandContext(ctx, c.Tools.Kubectl, "apply", "-f", "-")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	cmd.Stdin = strings.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply: %w\n%s", err, out)
	}
	return nil
}

// Pod makes a pod of the busybox image and waits until it is Ready. Without a command it sleeps.
func (c *Cluster) Pod(ctx context.Context, namespace, name string, command ...string) error {
	if len(command) == 0 {
		command = []string{"/bin/sleep", "2147483647"}
	}
	quoted := make([]string, len(command))
	for i, s := range command {
		quoted[i] = strconv.Quote(s)
	}
	err := c.Apply(ctx, fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: %q, namespace: %q}, spec: {nodeName: localhost, terminationGracePeriodSeconds: 0,
  automountServiceAccountToken: false, enableServiceLinks: false, containers: [{name: main, image: %q, imagePullPolicy: Never, stdin: true, command: [%s]}]}}`,
		name, namespace, image, strings.Join(quoted, ", ")))
	if err != nil {
		return err
	}
	_, err = c.Kubectl(ctx, "wait", "-n", namespace, "--for=condition=Ready", "pod/"+name, "--timeout=120s")
	return err
}

// ClientCert makes a client certificate that the API server believes: a user and its groups. PEM.
func (c *Cluster) ClientCert(user string, groups ...string) (cert, key []byte, err error) {
	return c.issue(user, groups...)
}

// freePorts finds ports for each.
func freePorts() (ports, error) {
	var p ports
	for _, to := range []*int{&p.etcd, &p.peer, &p.api, &p.kubelet} {
		var err error
		if *to, err = localserver.FreePort(); err != nil {
			return p, err
		}
	}
	return p, nil
}
