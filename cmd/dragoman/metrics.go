package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"dragoman.dev/dragoman/authz/approval"
	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/telemetry"
	"dragoman.dev/dragoman/internal/translog"
)

// openTelemetry makes the metrics. The access log counts as a target.
func (c *control) openTelemetry(context.Context) error {
	targets := []string{access.Target}
	for _, t := range c.cfg.Targets {
		targets = append(targets, t.Name)
	}
	c.telemetry = telemetry.New(telemetry.Options{Targets: targets, State: c.state, Now: time.Now})
	return nil
}

// feeds hear of frames one after the other; those that can fail come first.
type feeds []audit.Feed

func (f feeds) Frame(session string, fr record.Frame) {
	for _, one := range f {
		one.Frame(session, fr)
	}
}

func (f feeds) Commit(ctx context.Context) error {
	for _, one := range f {
		if err := one.Commit(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f feeds) Drop() {
	for _, one := range f {
		one.Drop()
	}
}

// samples gathers values; of what cannot be read it keeps the error.
type samples struct {
	list []telemetry.Sample
	errs []error
}

// gauge adds a value with labels, name and value in turn.
func (s *samples) gauge(name, help string, v float64, labels ...string) {
	s.add(telemetry.Sample{Name: name, Help: help, Value: v}, labels)
}

func (s *samples) counter(name, help string, v float64, labels ...string) {
	s.add(telemetry.Sample{Name: name, Help: help, Value: v, Counter: true}, labels)
}

func (s *samples) add(one telemetry.Sample, labels []string) {
	one.Labels = map[string]string{}
	for i := 0; i+1 < len(labels); i += 2 {
		one.Labels[labels[i]] = labels[i+1]
	}
	s.list = append(s.list, one)
}

func (s *samples) failed(err error) { s.errs = append(s.errs, err) }

// state is what the control plane is when it is asked.
func (c *control) state(ctx context.Context) ([]telemetry.Sample, error) {
	s := &samples{}
	s.gauge("dragoman_build_info", "The version that runs.", 1, "version", version())
	s.gauge("dragoman_ready", "Every listener of the local Envoy serves.", truth(c.ready.Load()))
	c.policyState(s)
	c.sessionState(ctx, s)
	c.nodeState(s)
	c.recordState(s)
	if c.notify != nil {
		c.sinkState(ctx, s)
	}
	return s.list, errors.Join(s.errs...)
}

func (c *control) policyState(s *samples) {
	status := c.policy.Status()
	s.gauge("dragoman_policy_info", "The policy in force.", 1, "revision", status.Revision)
	s.gauge("dragoman_policy_source_broken", "The policy source as it is now cannot be put in force.", truth(status.Error != ""))
}

func (c *control) sessionState(ctx context.Context, s *samples) {
	pending, err := c.approvals.List(ctx, approval.Filter{States: []hold.State{hold.Pending}, Limit: approval.MaxLimit})
	if err != nil {
		s.failed(err)
	} else {
		oldest := 0.0
		for _, h := range pending {
			oldest = max(oldest, time.Since(h.Created).Seconds())
		}
		s.gauge("dragoman_holds_pending", "Actions that wait for a decision.", float64(len(pending)))
		s.gauge("dragoman_holds_oldest_seconds", "How long the longest of them waits.", oldest)
	}
	live := map[string]int{}
	for _, l := range c.sessions.List() {
		live[l.Target.Name]++
	}
	for _, t := range c.cfg.Targets {
		s.gauge("dragoman_sessions_live", "Open sessions.", float64(live[t.Name]), "target", t.Name)
	}
}

func (c *control) nodeState(s *samples) {
	for _, n := range c.xds.Nodes() {
		s.gauge("dragoman_node_connected", "The Envoy has an ADS stream.", truth(n.Connected), "node", n.Name)
		s.gauge("dragoman_node_in_sync", "The Envoy has acknowledged all that it was sent.", truth(n.InSync), "node", n.Name)
	}
	s.gauge("dragoman_nodes_shipping", "Gateways that ship records now.", float64(len(c.ship.Nodes())))
}

// recordState is how much is kept, and how much room there is.
func (c *control) recordState(s *samples) {
	s.gauge("dragoman_records_keeper", "This control plane is the one that takes records in.", truth(c.records.Mine() != nil))
	if raw, err := c.records.Checkpoint(); err != nil {
		s.failed(err)
	} else if head, err := translog.ParseCheckpoint(raw); err != nil {
		s.failed(err)
	} else {
		s.counter("dragoman_log_entries_total", "Entries of the transparency log.", float64(head.Size))
	}
	used, sessions, err := spoolUse(c.cfg.SpoolDir())
	if err != nil {
		s.failed(err)
	}
	s.gauge("dragoman_spool_bytes", "What the local Envoy has recorded and not shipped yet.", float64(used))
	s.gauge("dragoman_spool_sessions", "Sessions that have something there.", float64(sessions))
	for _, d := range []struct{ name, path string }{{"spool", c.cfg.SpoolDir()}, {"audit", c.cfg.AuditDir()}} {
		var st syscall.Statfs_t
		if err := syscall.Statfs(d.path, &st); err != nil {
			s.failed(err)
			continue
		}
		s.gauge("dragoman_disk_free_bytes", "Room on the disk of a folder.", float64(st.Bavail)*float64(st.Bsize), "folder", d.name)
		s.gauge("dragoman_disk_size_bytes", "Size of the disk of a folder.", float64(st.Blocks)*float64(st.Bsize), "folder", d.name)
	}
}

// spoolUse sums up the local spool: its folders are few, since what is shipped is deleted.
func spoolUse(dir string) (bytes int64, sessions int, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist): // shipped meanwhile
			return nil
		case err != nil:
			return err
		case d.IsDir():
			if filepath.Dir(path) == dir {
				sessions++
			}
			return nil
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes, sessions, err
}

func (c *control) sinkState(ctx context.Context, s *samples) {
	list, err := c.notify.Outbox.Backlogs(ctx)
	if err != nil {
		s.failed(err)
	}
	for _, b := range list {
		s.gauge("dragoman_events_waiting", "Events that a webhook or collector has not got yet.", float64(b.Waiting), "sink", b.Sink)
		s.counter("dragoman_events_sent_total", "Events that it has got.", float64(b.Sent), "sink", b.Sink)
		s.counter("dragoman_events_dropped_total", "Events that it will not get: refused, or too many waited.", float64(b.Dropped), "sink", b.Sink)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
