// Package telemetry is the control plane's metrics in Prometheus' form: what sessions did, as
// their frames come in, and what the control plane is, when it is asked. It owns their names
// (docs/telemetry.md); where the state comes from is the caller's.
package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/record"
)

// Sample is one value of the control plane's state.
type Sample struct {
	Name, Help string
	Counter    bool              // or a gauge
	Labels     map[string]string // may be nil; the same names at all samples of a metric
	Value      float64
}

// Options of Telemetry.
type Options struct {
	// Targets are the values that the label target may have; all else is "other".
	Targets []string
	// State is asked at each scrape.
	State func(context.Context) ([]Sample, error)
	Now   func() time.Time
}

// Telemetry counts. It implements audit.Feed; State and Text may be called at any time.
type Telemetry struct {
	opt      Options
	registry *prometheus.Registry
	started  time.Time
	sessions map[string]*counted
	decoder  record.ActionDecoder

	opened, closed, actions, holds, frames *prometheus.CounterVec
	rows, bytes, masked, wire              *prometheus.CounterVec
	duration, wait                         *prometheus.HistogramVec
	lag                                    prometheus.Histogram
	stateErrors                            prometheus.Counter
}

var (
	ends    = []string{string(hold.Used), string(hold.Denied), string(hold.Expired), string(hold.Withdrawn)}
	reasons = []string{"client", "target", "policy", "revoked", "expired", "admin", "protocol", "shutdown", "fault", "lost"}
	results = []string{"ok", "error", "blocked", "denied", "withdrawn", "expired", "lost"}
)

const other = "other"

// New makes all metrics; those of the known targets are there from the start.
func New(opt Options) *Telemetry {
	t := &Telemetry{opt: opt, registry: prometheus.NewRegistry(), started: opt.Now(), sessions: map[string]*counted{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dragoman_" + name, Help: help}, labels)
		t.registry.MustRegister(c)
		return c
	}
	t.opened = counter("sessions_opened_total", "Sessions whose record has begun.", "target")
	t.closed = counter("sessions_closed_total", "Sessions whose record has ended, by how.", "target", "reason")
	t.actions = counter("actions_total", "Actions that have ended, by verdict and result.", "target", "verdict", "result")
	t.holds = counter("holds_total", "Holds that have ended, by how.", "target", "state")
	t.frames = counter("frames_total", "Frames of records that were taken in.", "target")
	t.wire = counter("frame_bytes_total", "Payload of those frames.", "target")
	t.rows = counter("rows_total", "Rows that were delivered.", "target")
	t.bytes = counter("delivered_bytes_total", "Bytes that were delivered.", "target")
	t.masked = counter("masked_values_total", "Values that were masked.", "target")
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "dragoman_" + name, Help: help, Buckets: buckets}, labels)
		t.registry.MustRegister(h)
		return h
	}
	t.duration = histogram("action_duration_seconds", "From an action's request to the end of its answer.", prometheus.ExponentialBuckets(0.0005, 4, 10), "target")
	t.wait = histogram("hold_wait_seconds", "From a hold's beginning to its end.", prometheus.ExponentialBuckets(1, 3, 8), "target", "state")
	t.lag = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "dragoman_ship_lag_seconds", Help: "From a frame's writing at the gateway until the control plane has it.",
		Buckets: prometheus.ExponentialBuckets(0.01, 4, 10)})
	t.stateErrors = prometheus.NewCounter(prometheus.CounterOpts{Name: "dragoman_metrics_errors_total", Help: "Scrapes in which a part of the state could not be read."})
	t.registry.MustRegister(t.lag, t.stateErrors, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	t.prepare()
	return t
}

// prepare makes the series of the known targets, so that a rate from nothing is seen.
func (t *Telemetry) prepare() {
	for _, target := range t.opt.Targets {
		for _, c := range []*prometheus.CounterVec{t.opened, t.frames, t.wire, t.rows, t.bytes, t.masked} {
			c.WithLabelValues(target)
		}
		t.duration.WithLabelValues(target)
		for _, r := range reasons {
			t.closed.WithLabelValues(target, r)
		}
		for _, s := range ends {
			t.holds.WithLabelValues(target, s)
			t.wait.WithLabelValues(target, s)
		}
		for _, vr := range [][2]string{{"allow", "ok"}, {"allow", "error"}, {"block", "blocked"}, {"hold", "ok"}, {"hold", "denied"}, {"hold", "expired"}, {"hold", "withdrawn"}} {
			t.actions.WithLabelValues(target, vr[0], vr[1])
		}
	}
}

func known(v string, list []string) string {
	if slices.Contains(list, v) {
		return v
	}
	return other
}

// Text is all metrics in the text exposition format.
func (t *Telemetry) Text(ctx context.Context) ([]byte, error) {
	samples, err := t.opt.State(ctx)
	if err != nil {
		t.stateErrors.Inc() // and what could be read is shown
	}
	state := prometheus.NewRegistry()
	state.MustRegister(stateCollector(samples))
	families, gatherErr := prometheus.Gatherers{t.registry, state}.Gather()
	if gatherErr != nil {
		return nil, fmt.Errorf("metrics: %w", gatherErr)
	}
	var b bytes.Buffer
	enc := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return b.Bytes(), nil
}

// stateCollector gives samples as they are.
type stateCollector []Sample

// Describe says nothing: what there is, is known only at the scrape.
func (stateCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c {
		kind := prometheus.GaugeValue
		if s.Counter {
			kind = prometheus.CounterValue
		}
		names, values := make([]string, 0, len(s.Labels)), make([]string, 0, len(s.Labels))
		for name := range s.Labels {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			values = append(values, strings.ToValidUTF8(s.Labels[name], "?"))
		}
		m, err := prometheus.NewConstMetric(prometheus.NewDesc(s.Name, s.Help, names, nil), kind, s.Value, values...)
		if err != nil {
			m = prometheus.NewInvalidMetric(prometheus.NewDesc(s.Name, s.Help, names, nil), err)
		}
		out <- m
	}
}
