package config

import "net/url"

// Bodies says where records are kept.
type Bodies struct {
	// URL of a bucket, s3://NAME?region=…; empty: files in Data.
	URL  string   `yaml:"url"`
	Lock BodyLock `yaml:"lock"`
}

// BodyLock is the object lock of sealed records.
type BodyLock struct {
	For  Duration `yaml:"for"`  // 0: none
	Mode string   `yaml:"mode"` // LockGovernance (also for "") or LockCompliance
}

// Modes of a lock.
const (
	LockGovernance = "governance"
	LockCompliance = "compliance"
)

func (b *Bodies) validate(p *problems) {
	if b.URL != "" {
		if u, err := url.Parse(b.URL); err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil {
			p.addf("audit.bodies.url", "must be s3://BUCKET, with settings such as ?region=eu-west-1 behind it; credentials are in the environment (AWS_ACCESS_KEY_ID …), not here")
		}
	}
	if b.Lock.Mode != "" {
		p.oneOf("audit.bodies.lock.mode", b.Lock.Mode, LockGovernance, LockCompliance)
	}
	if b.URL == "" && b.Lock != (BodyLock{}) {
		p.addf("audit.bodies.lock", "only a bucket has an object lock: url is missing")
	}
}

// validateRetention wants no record deleted that is locked.
func (c *Config) validateRetention(p *problems) {
	lock := c.Trail.Bodies.Lock.For
	short := func(path string, d Duration) {
		if d > 0 && d < lock {
			p.addf(path, "must not be shorter than audit.bodies.lock.for, or records could not be deleted")
		}
	}
	short("audit.retention", c.Trail.Retention)
	for i, t := range c.Targets {
		if t.Audit.Retention != nil {
			short(index("targets", i)+".audit.retention", *t.Audit.Retention)
		}
	}
}
