package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	"dragoman.dev/dragoman/envoy/envoytest"
)

func TestConfigIsRejected(t *testing.T) {
	dir := t.TempDir()
	target := newEcho(t)
	e := startECDS(t, dir, "good", target.addr)
	c := dial(t, e.Addr("l"))
	c.send("config\n")
	c.want("good\n")
	writeECDS(t, dir, "reject", 2)
	eventually(t, func() error {
		if e.Stat("extension_config_discovery.network_filter.gate.config_fail") == 0 &&
			e.Stat("extension_config_discovery.network_filter.gate.update_rejected") == 0 {
			return errors.New("the config was not rejected\n" + e.AdminGet("/stats?filter=extension_config"))
		}
		return nil
	})
	c.send("config\n")
	c.want("good\n")
	dial(t, e.Addr("l")).send("config\n")
}

func TestPolicyPushReachesLiveConnections(t *testing.T) {
	dir := t.TempDir()
	target := newEcho(t)
	e := startECDS(t, dir, "one", target.addr)
	c := dial(t, e.Addr("l"))
	c.send("config\n")
	c.want("one\n")
	for i, config := range []string{"two", "three"} {
		writeECDS(t, dir, config, i+2)
		eventually(t, func() error {
			c.send("config\n")
			if got := c.line(); got != config+"\n" {
				return fmt.Errorf("a live connection still has %q", got)
			}
			return nil
		})
	}
	if n := e.Stat("listener_manager.total_listeners_draining"); n != 0 {
		t.Errorf("%d listeners drain", n)
	}
	c.send("open\n")
	c.want("before after\n")
}

// startECDS starts an Envoy whose network filter "gate" comes from a file in dir.
func startECDS(t *testing.T, dir, config, target string) *envoytest.Envoy {
	t.Helper()
	writeECDS(t, dir, config, 1)
	gate := &listenerv3.Filter{Name: "gate", ConfigType: &listenerv3.Filter_ConfigDiscovery{
		ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: &corev3.ConfigSource{
				ResourceApiVersion: corev3.ApiVersion_V3,
				ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{PathConfigSource: &corev3.PathConfigSource{
					Path: filepath.Join(dir, "ecds.json")}},
			},
			TypeUrls: []string{"type.googleapis.com/envoy.extensions.filters.network.dynamic_modules.v3.DynamicModuleNetworkFilter"},
		}}}
	return envoytest.Start(t, envoytest.Config{
		Tags:      tag,
		Listeners: []*listenerv3.Listener{envoytest.Listener("l", gate, envoytest.TCPProxy(t, "target"))},
		Clusters:  []*clusterv3.Cluster{envoytest.Cluster("target", target)},
	})
}

func writeECDS(t *testing.T, dir, config string, version int) {
	t.Helper()
	raw, err := protojson.Marshal(&discoveryv3.DiscoveryResponse{
		VersionInfo: fmt.Sprint(version),
		Resources: []*anypb.Any{envoytest.Any(t, &corev3.TypedExtensionConfig{
			Name: "gate", TypedConfig: envoytest.NetworkFilterConfig(t, "gate", []byte(config))})},
	})
	if err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(dir, ".tmp")
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, "ecds.json")); err != nil {
		t.Fatal(err)
	}
}
