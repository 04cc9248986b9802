package config

import (
	"net/url"

	"dragoman.dev/dragoman/internal/translog"
)

// Trail is the audit trail as a whole; how a target's sessions are recorded is
// Target.Audit.
type Trail struct {
	Log        TransparencyLog `yaml:"log"`
	Encryption Encryption      `yaml:"encryption"`
	Bodies     Bodies          `yaml:"bodies"`
	// Retention is how long records are kept after their sessions' end, where the target does not say; 0: for ever.
	Retention Duration  `yaml:"retention"`
	Webhooks  []Webhook `yaml:"webhooks"`
	OTLP      *OTLP     `yaml:"otlp"`
	// Outbox bounds what waits for webhooks and collectors.
	Outbox Size `yaml:"outbox"`
}

// Forms of a webhook's events.
const (
	FormatDragoman = "dragoman"
	FormatOCSF     = "ocsf"
)

// Webhook is told of each event.
type Webhook struct {
	Name   string `yaml:"name"`
	URL    string `yaml:"url"`
	Secret Ref    `yaml:"secret"` // of the signature
	Format string `yaml:"format"`
	CA     string `yaml:"ca"`
}

// OTLP is an OpenTelemetry collector, by gRPC.
type OTLP struct {
	Endpoint string         `yaml:"endpoint"` // host:port
	Insecure bool           `yaml:"insecure"` // without TLS
	CA       string         `yaml:"ca"`
	Headers  map[string]Ref `yaml:"headers"`
	Logs     *bool          `yaml:"logs"`   // default true
	Traces   *bool          `yaml:"traces"` // default true
	Service  string         `yaml:"service"`
}

// Traces says that spans go to a collector.
func (t *Trail) Traces() bool { return t.OTLP != nil && (t.OTLP.Traces == nil || *t.OTLP.Traces) }

// TransparencyLog is the log in which every record is entered.
type TransparencyLog struct {
	// Origin names the log, once for all; empty: one made from its key.
	Origin string `yaml:"origin"`
	// Running is how often sessions that go on are entered.
	Running   Duration  `yaml:"running"`
	Witnesses []Witness `yaml:"witnesses"`
}

// Witness cosigns checkpoints (C2SP tlog-witness).
type Witness struct {
	Name string `yaml:"name"` // that of its key
	URL  string `yaml:"url"`  // prefix of add-checkpoint
	Key  string `yaml:"key"`  // note verifier key: NAME+ID+BASE64
}

// minOutbox is room for a few of the largest events.
const minOutbox = 1 << 20

// minRunning keeps the log from growing for nothing.
const minRunning = Duration(1e9)

func (t *Trail) complete(dir, keys string) {
	t.Encryption.complete(dir, keys)
	setDefault(&t.Log.Running, Duration(DefaultRunning))
	setDefault(&t.Outbox, Size(DefaultOutbox))
	for i := range t.Webhooks {
		w := &t.Webhooks[i]
		setDefault(&w.Format, FormatDragoman)
		anchor(dir, &w.CA)
		anchorRefs(dir, &w.Secret)
	}
	if o := t.OTLP; o != nil {
		anchor(dir, &o.CA)
		setDefault(&o.Service, "dragoman")
		for k, v := range o.Headers {
			anchorRefs(dir, &v)
			o.Headers[k] = v
		}
		for _, b := range []**bool{&o.Logs, &o.Traces} {
			if *b == nil {
				*b = new(true)
			}
		}
	}
}

func (t *Trail) validateSinks(p *problems) {
	seen := map[string]bool{}
	for i, w := range t.Webhooks {
		path := index("audit.webhooks", i)
		p.name(path+".name", w.Name)
		if seen[w.Name] {
			p.addf(path+".name", "%q is the name of another webhook too", w.Name)
		}
		seen[w.Name] = true
		p.safeURL(path+".url", w.URL)
		if w.Secret == "" {
			p.addf(path, "secret is missing: without a signature, anybody could tell the receiver anything")
		}
		p.secret(path+".secret", w.Secret, true)
		p.oneOf(path+".format", w.Format, FormatDragoman, FormatOCSF)
	}
	if t.Outbox < minOutbox {
		p.addf("audit.outbox", "must be at least %d bytes", minOutbox)
	}
	o := t.OTLP
	if o == nil {
		return
	}
	p.hostPort("audit.otlp.endpoint", o.Endpoint, false)
	if o.Insecure && !Loopback(o.Endpoint) {
		p.addf("audit.otlp.insecure", "only for a collector on loopback: events have statements in them")
	}
	for name, ref := range o.Headers {
		p.secret("audit.otlp.headers."+name, ref, true)
	}
}

// safeURL wants https, or http on loopback.
func (p *problems) safeURL(path, raw string) {
	if u, err := url.Parse(raw); err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopbackHost(u.Hostname()))) {
		p.addf(path, "%q must be an https URL (http only on loopback)", raw)
	}
}

func (t *Trail) validate(p *problems) {
	l := &t.Log
	if l.Origin != "" && !translog.ValidOrigin(l.Origin) {
		p.addf("audit.log.origin", "%q must be 1 to 200 printable ASCII characters without space and +, such as example.com/dragoman", l.Origin)
	}
	if l.Running < minRunning {
		p.addf("audit.log.running", "must be at least %s", minRunning.Std())
	}
	seen := map[string]bool{}
	for i, w := range l.Witnesses {
		path := index("audit.log.witnesses", i)
		name, err := translog.WitnessName(w.Key)
		switch {
		case err != nil:
			p.addf(path+".key", "%v", err)
		case w.Name != "" && w.Name != name:
			p.addf(path+".name", "%q is not the name in the key, which is %q", w.Name, name)
		case seen[name]:
			p.addf(path, "%q is listed twice", name)
		}
		seen[name] = true
		p.safeURL(path+".url", w.URL)
	}
	t.Encryption.validate(p)
	t.Bodies.validate(p)
	t.validateSinks(p)
}
