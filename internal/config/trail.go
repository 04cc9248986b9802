package config

import (
	"net/url"

	"dragoman.dev/dragoman/internal/translog"
)

// Trail is the audit trail as a whole; how a target's sessions are recorded is
// Target.Audit.
type Trail struct {
	Log TransparencyLog `yaml:"log"`
}

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

// minRunning keeps the log from growing for nothing.
const minRunning = Duration(1e9)

func (t *Trail) complete(string) {
	setDefault(&t.Log.Running, Duration(DefaultRunning))
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
		if u, err := url.Parse(w.URL); err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopbackHost(u.Hostname()))) {
			p.addf(path+".url", "%q must be an https URL (http only on loopback)", w.URL)
		}
	}
}
