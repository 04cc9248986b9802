// Package snapshot turns the config and a policy bundle into the Envoy
// resources of one node. It is pure: files are read through the function that it
// is given, and equal input gives equal bytes. Serving the result is left to
// package xds. No resource holds a target's credential (those are handed out
// at a session's opening); private keys of certificates are in secrets
// (SDS), which only the node that serves them gets.
package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/policy"
)

// Snapshot is all that one node gets.
type Snapshot struct {
	Node    string
	Version string // digest of the content
	// By kind, each sorted by name.
	Listeners  []types.Resource
	Clusters   []types.Resource
	Secrets    []types.Resource
	Extensions []types.Resource // ECDS: our network filter, with policy
}

// ReadFile reads a PEM file that the config names.
type ReadFile func(path string) ([]byte, error)

// builder gathers the resources of one node.
type builder struct {
	cfg    *config.Config
	bundle policy.Bundle
	read   ReadFile
	out    *Snapshot
	bridge bool // its cluster is there
	kube   bool // so is that of requests that become streams
	rdp    bool // the bridge's cluster for RDP is there
}

// Build makes the snapshot of a node. A node that serves no target gets an
// empty one; a node that the config does not know is an error.
func Build(cfg *config.Config, bundle policy.Bundle, node string, read ReadFile) (*Snapshot, error) {
	if !slices.Contains(cfg.NodeNames(), node) {
		return nil, fmt.Errorf("node %q is not in the config", node)
	}
	b := &builder{cfg: cfg, bundle: bundle, read: read, out: &Snapshot{Node: node}}
	ports := map[string][]*config.Target{}
	var order []string
	for i := range cfg.Targets {
		t := &cfg.Targets[i]
		if !slices.Contains(t.Nodes, node) {
			continue
		}
		if err := b.target(t); err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
		if len(ports[t.Listen]) == 0 {
			order = append(order, t.Listen)
		}
		ports[t.Listen] = append(ports[t.Listen], t)
	}
	for _, listen := range order {
		l, err := listenerOf(listen, ports[listen])
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", listen, err)
		}
		if cfg.Trail.Traces() {
			if err := traced(l, cfg.Trail.OTLP.Service); err != nil {
				return nil, fmt.Errorf("listener %s: %w", listen, err)
			}
		}
		b.out.Listeners = append(b.out.Listeners, l)
	}
	return b.out, b.out.seal()
}

// target adds what a target needs apart from its listener.
func (b *builder) target(t *config.Target) error {
	if t.Protocol == config.ProtocolRDP {
		return b.rdpTarget()
	}
	if protocols[t.Protocol].bridged {
		return b.bridged(t)
	}
	b.kubeTarget(t)
	clusters, err := clustersOf(t)
	if err != nil {
		return err
	}
	secrets, err := b.secretsOf(t)
	if err != nil {
		return err
	}
	ext, err := extensionOf(t, b.bundle)
	if err != nil {
		return err
	}
	b.out.Clusters = append(b.out.Clusters, clusters...)
	b.out.Secrets = append(b.out.Secrets, secrets...)
	b.out.Extensions = append(b.out.Extensions, ext)
	return nil
}

// seal sorts, checks what protobuf's own rules can check, and computes the version.
func (s *Snapshot) seal() error {
	sum := sha256.New()
	for _, list := range s.lists() {
		slices.SortFunc(list, func(a, b types.Resource) int {
			return strings.Compare(cache.GetResourceName(a), cache.GetResourceName(b))
		})
		for _, r := range list {
			if v, ok := r.(interface{ ValidateAll() error }); ok {
				if err := v.ValidateAll(); err != nil {
					return fmt.Errorf("%s: %w", cache.GetResourceName(r), err)
				}
			}
			bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Fprintf(sum, "%s %d\n", cache.GetResourceName(r), len(bytes))
			sum.Write(bytes)
		}
	}
	s.Version = hex.EncodeToString(sum.Sum(nil))[:16]
	return nil
}

func (s *Snapshot) lists() [][]types.Resource {
	return [][]types.Resource{s.Listeners, s.Clusters, s.Secrets, s.Extensions}
}

// Cache is the form that go-control-plane's cache takes.
func (s *Snapshot) Cache() (*cache.Snapshot, error) {
	snap, err := cache.NewSnapshot(s.Version, map[resource.Type][]types.Resource{
		resource.ListenerType:        s.Listeners,
		resource.ClusterType:         s.Clusters,
		resource.SecretType:          s.Secrets,
		resource.ExtensionConfigType: s.Extensions,
	})
	if err != nil {
		return nil, err
	}
	return snap, snap.ConstructVersionMap()
}

// Names of resources.

// ListenerName names the listener of a listen address.
func ListenerName(listen string) string { return "dragoman/" + listen }

// ClusterName names a target's cluster.
func ClusterName(target string) string { return "dragoman/" + target }

// CancelClusterName names the cluster for a target's cancel requests.
func CancelClusterName(target string) string { return "dragoman/" + target + "/cancel" }

// ExtensionName names a target's network filter in ECDS.
func ExtensionName(target string) string { return "dragoman/" + target }

func secretName(target, what string) string { return "dragoman/" + target + "/" + what }

// pack wraps a message that was built here; it cannot fail for those.
func pack(m proto.Message) (*anypb.Any, error) {
	a := &anypb.Any{}
	return a, anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true})
}
