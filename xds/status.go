package xds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"dragoman.dev/dragoman/xds/snapshot"
)

// NodeStatus is what is known of one Envoy.
type NodeStatus struct {
	Name      string    `json:"name"`
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"` // of the newest stream
	// Wanted is the version that it should have, PolicyWanted the policy
	// revision in it.
	Wanted       string    `json:"wanted"`
	PolicyWanted string    `json:"policy_wanted"`
	WantedSince  time.Time `json:"wanted_since,omitzero"` // since when it should have that version
	// InSync says that each kind of resource that it asked for is
	// acknowledged as it is wanted.
	InSync bool `json:"in_sync"`
	// Types are its subscriptions.
	Types []TypeStatus `json:"types"`
}

// TypeStatus is one kind of resource on a node.
type TypeStatus struct {
	Type  string    `json:"type"` // type URL without its prefix
	Acked string    `json:"acked"`
	At    time.Time `json:"at,omitzero"`
	// Nack is why it refused what it was last sent, "" when it did not.
	Nack string `json:"nack,omitempty"`
}

type node struct {
	name    string
	wanted  *snapshot.Snapshot
	policy  string
	asked   time.Time // since when wanted is wanted
	streams int
	since   time.Time
	types   map[string]*typeState
}

// typeState is the exchange about one kind of resource on a node's stream.
type typeState struct {
	sent, acked string // versions
	nack        string
	at          time.Time
}

// stream is one open ADS stream.
type stream struct {
	node    string
	claimed bool
	nonces  map[string]sentVersion
	names   map[subscription]struct{} // what it asks for by name, there or not: the cache keeps it as long as the stream is there
	bytes   int                       // of them
}

type subscription struct{ url, name string }

// Bounds of one node's streams. A configuration has a few resources for each target; Envoy has one stream, and for a moment
// another while it connects anew.
const (
	maxNames     = 20_000 // that one stream asks for
	maxNameBytes = 1 << 20
	maxStreams   = 16
)

type sentVersion struct{ url, version string }

// maxNonces bounds what is kept of answers that a node does not acknowledge.
const maxNonces = 4096

func newNode(name string) *node { return &node{name: name, types: map[string]*typeState{}} }

func (s *Server) setWanted(name string, snap *snapshot.Snapshot, revision string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[name]
	if n.wanted == nil || n.wanted.Version != snap.Version {
		n.asked = s.opt.Now()
	}
	n.wanted, n.policy = snap, revision
	s.applied[name] = snap
	s.changed.Broadcast()
}

// opened notes a stream; false when the node has too many.
func (s *Server) opened(id int64, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[name]
	if n.streams >= maxStreams {
		return false
	}
	s.streams[id] = &stream{node: name, nonces: map[string]sentVersion{}, names: map[subscription]struct{}{}}
	n.streams++
	n.since = s.opt.Now()
	n.types = map[string]*typeState{} // it starts anew, with what it has
	s.opt.Log.Info("xds: node connected", "node", name)
	s.changed.Broadcast()
	return true
}

// subscribes counts what a stream asks for by name, and what it says that it has.
func (s *Server) subscribes(id int64, req *discovery.DeltaDiscoveryRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.streams[id]
	if !ok {
		return errors.New("the stream is unknown")
	}
	ask := func(name string) error {
		k := subscription{req.GetTypeUrl(), name}
		if _, twice := st.names[k]; twice {
			return nil
		}
		if len(st.names) >= maxNames || st.bytes+len(name) > maxNameBytes {
			return fmt.Errorf("node %q asks for too many resources", st.node)
		}
		st.names[k] = struct{}{}
		st.bytes += len(name)
		return nil
	}
	for _, name := range req.GetResourceNamesSubscribe() {
		if err := ask(name); err != nil {
			return err
		}
	}
	for name := range req.GetInitialResourceVersions() {
		if err := ask(name); err != nil {
			return err
		}
	}
	for _, name := range req.GetResourceNamesUnsubscribe() {
		k := subscription{req.GetTypeUrl(), name}
		if _, asked := st.names[k]; asked {
			delete(st.names, k)
			st.bytes -= len(name)
		}
	}
	return nil
}

func (s *Server) closed(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.streams[id]
	if !ok {
		return
	}
	delete(s.streams, id)
	s.nodes[st.node].streams--
	s.opt.Log.Info("xds: node disconnected", "node", st.node)
	s.changed.Broadcast()
}

// claimed checks the name that a request gives against who the peer is.
func (s *Server) claimed(id int64, n *core.Node) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.streams[id]
	switch {
	case !ok:
		return errors.New("the stream is unknown")
	case n == nil && !st.claimed:
		return errors.New("the first request names no node")
	case n != nil && n.GetId() != st.node:
		return fmt.Errorf("node %q claims to be %q", st.node, n.GetId())
	}
	st.claimed = true
	return nil
}

func (s *Server) sent(id int64, resp *discovery.DeltaDiscoveryResponse) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.streams[id]
	if !ok {
		return
	}
	if len(st.nonces) >= maxNonces {
		clear(st.nonces)
	}
	st.nonces[resp.GetNonce()] = sentVersion{resp.GetTypeUrl(), resp.GetSystemVersionInfo()}
	s.typeOf(st, resp.GetTypeUrl()).sent = resp.GetSystemVersionInfo()
}

// answered notes an ACK or a NACK; a request without a nonce is neither.
func (s *Server) answered(id int64, req *discovery.DeltaDiscoveryRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.streams[id]
	if !ok {
		return
	}
	t := s.typeOf(st, req.GetTypeUrl())
	v, known := st.nonces[req.GetResponseNonce()]
	if !known {
		return
	}
	delete(st.nonces, req.GetResponseNonce())
	t.at = s.opt.Now()
	if e := req.GetErrorDetail(); e != nil {
		t.nack = e.GetMessage()
		s.opt.Log.Error("xds: a node refuses its configuration; what it had stays in force",
			"node", st.node, "type", shortURL(v.url), "version", v.version, "err", t.nack)
	} else {
		t.acked, t.nack = v.version, ""
		s.opt.Log.Debug("xds: acknowledged", "node", st.node, "type", shortURL(v.url), "version", v.version)
	}
	s.changed.Broadcast()
}

func (s *Server) typeOf(st *stream, url string) *typeState {
	types := s.nodes[st.node].types
	if types[url] == nil {
		types[url] = &typeState{}
	}
	return types[url]
}

// Nodes tells the state of all nodes of the config, by name.
func (s *Server) Nodes() []NodeStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []NodeStatus
	for _, n := range s.nodes {
		out = append(out, n.status())
	}
	slices.SortFunc(out, func(a, b NodeStatus) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (n *node) status() NodeStatus {
	out := NodeStatus{Name: n.name, Connected: n.streams > 0, PolicyWanted: n.policy, Types: []TypeStatus{}}
	if n.streams > 0 {
		out.Since = n.since
	}
	if n.wanted != nil {
		out.Wanted, out.WantedSince = n.wanted.Version, n.asked
	}
	out.InSync = out.Connected && n.wanted != nil && len(n.types) > 0
	for url, t := range n.types {
		out.Types = append(out.Types, TypeStatus{Type: shortURL(url), Acked: t.acked, At: t.at, Nack: t.nack})
		if t.nack != "" || t.acked != t.sent {
			out.InSync = false
		}
	}
	slices.SortFunc(out.Types, func(a, b TypeStatus) int { return strings.Compare(a.Type, b.Type) })
	return out
}

// WaitNode waits until the node's status satisfies ok, or ctx ends.
func (s *Server) WaitNode(ctx context.Context, name string, ok func(NodeStatus) bool) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[name]
	if n == nil {
		return fmt.Errorf("node %q is not in the config", name)
	}
	for !ok(n.status()) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.changed.Wait()
	}
	return nil
}

func shortURL(url string) string {
	return url[strings.LastIndexByte(url, '.')+1:]
}
