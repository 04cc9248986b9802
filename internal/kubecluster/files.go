package kubecluster

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// image is the only image of the cluster, which is also that of the sandboxes.
const image = "docker.io/local/busybox:1"

// busybox is the distribution's static one.
const busybox = "/bin/busybox"

// applets are the commands of the image.
var applets = []string{"sh", "ash", "cat", "ls", "cp", "mv", "rm", "mkdir", "echo", "printf", "head", "tail", "wc", "grep", "sed", "awk", "sleep", "true", "false",
	"id", "env", "ps", "kill", "tar", "gzip", "dd", "md5sum", "sha256sum", "sort", "tr", "cut", "seq", "yes", "stty", "tty", "date", "hostname", "nc", "httpd", "wget",
	"touch", "chmod", "ln", "readlink", "find", "xargs", "test", "base64", "od", "vi", "top", "timeout", "trap", "stat", "which", "uname", "rmdir", "mkfifo", "tee"}

// writeImage makes the image as an archive that containerd imports (Docker's format, manifest.json).
func writeImage(path string) error {
	box, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	var layer bytes.Buffer
	t := tar.NewWriter(&layer)
	for _, d := range []string{"bin/", "etc/", "root/", "tmp/", "proc/", "dev/", "sys/"} {
		mode := int64(0o755)
		if d == "tmp/" {
			mode = 0o1777
		}
		_ = t.WriteHeader(&tar.Header{Name: d, Typeflag: tar.TypeDir, Mode: mode})
	}
	put := func(name string, b []byte, mode int64) {
		_ = t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(b))})
		_, _ = t.Write(b)
	}
	put("bin/busybox", box, 0o755)
	put("etc/passwd", []byte("root:x:0:0:root:/root:/bin/sh\n"), 0o644)
	for _, a := range applets {
		_ = t.WriteHeader(&tar.Header{Name: "bin/" + a, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777})
	}
	if err := t.Close(); err != nil {
		return err
	}
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	config, err := json.Marshal(map[string]any{"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Cmd": []string{"/bin/sleep", "2147483647"}, "Env": []string{"PATH=/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + sum(layer.Bytes())}}})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": sum(config) + ".json", "RepoTags": []string{image}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	t = tar.NewWriter(&out)
	put(sum(config)+".json", config, 0o644)
	put("layer.tar", layer.Bytes(), 0o644)
	put("manifest.json", manifest, 0o644)
	if err := t.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// writeConfig writes what the programs read.
func (c *Cluster) writeConfig(ports ports) error {
	for _, d := range []string{"cni", "pki", "kubelet", "podlogs"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, d), 0o755); err != nil {
			return err
		}
	}
	c.Server = fmt.Sprintf("https://127.0.0.1:%d", ports.api)
	files := map[string]string{
		"containerd.toml": fmt.Sprintf(containerdTOML, c.Dir, image),
		// A net of RFC 2544's, which nobody routes; its third part lets two clusters live side by side.
		"cni/10-pods.conflist": fmt.Sprintf(`{"cniVersion":"0.4.0","name":"pods","plugins":[{"type":"ptp","ipMasq":false,`+
			`"ipam":{"type":"host-local","dataDir":%q,"ranges":[[{"subnet":"198.18.%d.0/24"}]]}}]}`, c.Dir+"/ipam", ports.kubelet%256),
		"kubelet.yaml": fmt.Sprintf(kubeletYAML, c.Dir, ports.kubelet),
		"audit.yaml":   "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: None, users: [\"system:apiserver\", \"system:node:localhost\"]}, {level: Metadata}]\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, who := range []string{"admin", "kubelet"} {
		if err := os.WriteFile(filepath.Join(c.Dir, who+".kubeconfig"), []byte(c.kubeconfig(who)), 0o600); err != nil {
			return err
		}
	}
	return writeImage(filepath.Join(c.Dir, "image.tar"))
}

func (c *Cluster) kubeconfig(who string) string {
	pki := filepath.Join(c.Dir, "pki")
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: u, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`, c.Server, pki+"/ca.crt", pki+"/"+who+".crt", pki+"/"+who+".key")
}

// containerd may not lower the score that the kernel kills by where we may not.
const containerdTOML = `version = 2
root = "%[1]s/containerd/root"
state = "%[1]s/containerd/state"
[grpc]
  address = "%[1]s/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "%[1]s/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %[2]q
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "%[1]s/cni"
`

const kubeletYAML = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
port: %[2]d
readOnlyPort: 0
healthzPort: 0
tlsCertFile: %[1]s/pki/kubelet.crt
tlsPrivateKeyFile: %[1]s/pki/kubelet.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: %[1]s/pki/ca.crt}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
containerRuntimeEndpoint: unix://%[1]s/containerd.sock
resolvConf: ""
volumePluginDir: %[1]s/kubelet/plugins
podLogsDir: %[1]s/podlogs
imageGCHighThresholdPercent: 100
evictionHard: {imagefs.available: "1%%", nodefs.available: "1%%"}
`
