//go:build kube

package kubecluster

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestCluster starts a real node, runs something in a pod, and leaves nothing behind.
func TestCluster(t *testing.T) {
	sysctls := func() (out string) {
		for _, name := range []string{"vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward"} {
			b, err := os.ReadFile("/proc/sys/" + name)
			if err != nil {
				t.Fatal(err)
			}
			out += name + "=" + string(b)
		}
		return out
	}
	before := sysctls()
	tools, err := Ensure(t.Context(), "../../.tools", os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Start(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if err := c.Pod(t.Context(), "default", "shell"); err != nil {
		t.Fatalf("%v\n%s", err, c.Logs())
	}
	out, err := c.Kubectl(t.Context(), "exec", "shell", "--", "sh", "-c", "echo in; exit 3")
	if err == nil || !strings.Contains(string(out), "in\n") || !strings.Contains(string(out), "exit code 3") {
		t.Errorf("exec: %s %v", out, err)
	}
	cmd := exec.Command("python3", "-c", `import kubernetes
kubernetes.config.load_kube_config()
print([p.metadata.name for p in kubernetes.client.CoreV1Api().list_namespaced_pod("default").items])`)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig, "PYTHONPATH="+tools.Python)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "['shell']") {
		t.Errorf("the Python client: %s %v", out, err)
	}
	c.Stop()
	if _, err := os.Stat(c.Dir); err == nil {
		t.Error("the scratch folder is still there")
	}
	if mounts, err := os.ReadFile("/proc/mounts"); err != nil || bytes.Contains(mounts, []byte(c.Dir)) {
		t.Errorf("mounts are left: %v", err)
	}
	if after := sysctls(); after != before {
		t.Errorf("sysctls were\n%sand are\n%s", before, after)
	}
}
