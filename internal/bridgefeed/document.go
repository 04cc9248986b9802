package bridgefeed

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/policy"
)

// Document is what the bridge of a node is told. Paths in it are those of the control plane's machine until Settle.
type Document struct {
	Targets []config.Target      `json:"targets"` // the node's that a bridge serves, without credentials
	Bridge  config.Bridge        `json:"bridge"`
	Keys    config.SSHIdentities `json:"keys"` // so that a client is asked for its signature; who it is the control plane says
	Sockets string               `json:"sockets"`
	Files   map[string][]byte    `json:"files"` // by path
	Policy  policy.Bundle        `json:"policy"`
	Drain   time.Duration        `json:"drain"` // how long sessions may go on when the bridge is to stop
}

// Of makes the document of a node.
func Of(cfg *config.Config, node string, bundle policy.Bundle) ([]byte, error) {
	d := Document{Sockets: cfg.SocketDir(node), Files: map[string][]byte{}, Policy: bundle, Drain: cfg.Envoy.DrainTime.Std()}
	for _, t := range cfg.Targets {
		if !t.Bridged() || !slices.Contains(t.Nodes, node) {
			continue
		}
		t.Credentials = config.Credentials{}
		d.Targets = append(d.Targets, t)
		if t.Protocol == config.ProtocolSSH { // whoever has no such target is told no host key of ours
			d.Bridge = config.Bridge{HostKeys: slices.Clone(cfg.Bridge.HostKeys), HostCertificates: slices.Clone(cfg.Bridge.HostCertificates)}
			d.Keys = cfg.Identity.SSH
		}
	}
	for _, p := range d.paths() {
		if *p == "" {
			continue
		}
		b, err := os.ReadFile(*p)
		if err != nil {
			return nil, err
		}
		d.Files[*p] = b
	}
	return json.Marshal(d)
}

// Parse reads a document.
func Parse(b []byte) (*Document, error) {
	var d Document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("the bridge's document: %w", err)
	}
	return &d, nil
}

// paths are those of all files that the targets need where the bridge is.
func (d *Document) paths() []*string {
	var out []*string
	for _, list := range [][]string{d.Bridge.HostKeys, d.Bridge.HostCertificates} {
		for i := range list {
			out = append(out, &list[i])
		}
	}
	for i := range d.Targets {
		t := &d.Targets[i]
		up := &t.TLS.Upstream
		out = append(out, &t.SSH.KnownHosts, &up.CA, &up.Cert, &up.Key)
		if t.Protocol == config.ProtocolRDP { // of others Envoy ends the client's TLS, and has its files by SDS
			out = append(out, &t.TLS.Client.Cert, &t.TLS.Client.Key, &t.TLS.Client.ClientCA)
		} else {
			t.TLS.Client = config.ClientTLS{}
		}
	}
	return out
}

// Settle writes the files below dir, which only this user may read, and has the paths be those. A file is replaced as a whole.
func (d *Document) Settle(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, p := range d.paths() {
		if *p == "" {
			continue
		}
		b, ok := d.Files[*p]
		if !ok {
			return errors.New("the bridge's document lacks a file that it names")
		}
		sum := sha256.Sum256([]byte(*p))
		at := filepath.Join(dir, hex.EncodeToString(sum[:8]))
		if err := os.WriteFile(at+".new", b, 0o600); err != nil {
			return err
		}
		if err := os.Rename(at+".new", at); err != nil {
			return err
		}
		*p = at
	}
	return nil
}
