package config

import (
	"net/mail"
	"strings"
)

// Kinds of places that are told of holds.
const (
	NoticeWebhook = "webhook"
	NoticeSlack   = "slack"
	NoticeTeams   = "teams"
	NoticeEmail   = "email"
)

// HoldNotice is a place that is told when an action waits for people.
type HoldNotice struct {
	Name string `yaml:"name"`
	Kind string `yaml:"kind"`
	// URL is a webhook's. Those of Slack and Teams are secrets, so it may be a reference.
	URL    Ref           `yaml:"url"`
	Secret Ref           `yaml:"secret"` // signs a webhook; of Slack it is the app's signing secret, and lets people decide there
	CA     string        `yaml:"ca"`
	Team   string        `yaml:"team"`   // Slack's workspace, by its id
	People []SlackPerson `yaml:"people"` // who may decide in Slack

	Server   string   `yaml:"server"` // SMTP, host:port
	From     string   `yaml:"from"`
	To       []string `yaml:"to"`
	User     string   `yaml:"user"`
	Password Ref      `yaml:"password"`
	Insecure bool     `yaml:"insecure"` // without TLS, on loopback only
}

// SlackPerson says whom a member of a Slack workspace stands for.
type SlackPerson struct {
	Slack   string   `yaml:"slack"` // the member's id: U…
	Subject string   `yaml:"subject"`
	Groups  []string `yaml:"groups"`
}

func (a *Approvals) complete(dir string) {
	for i := range a.Notify {
		n := &a.Notify[i]
		anchor(dir, &n.CA)
		anchorRefs(dir, &n.URL, &n.Secret, &n.Password)
	}
}

func (c *Config) validateNotices(p *problems) {
	seen := map[string]bool{}
	clicks := 0
	for i := range c.Approvals.Notify {
		n, path := &c.Approvals.Notify[i], index("approvals.notify", i)
		p.name(path+".name", n.Name)
		if seen[n.Name] {
			p.addf(path+".name", "%q is the name of another one too", n.Name)
		}
		seen[n.Name] = true
		p.oneOf(path+".kind", n.Kind, NoticeWebhook, NoticeSlack, NoticeTeams, NoticeEmail)
		p.secret(path+".secret", n.Secret, true)
		p.secret(path+".password", n.Password, true)
		n.validate(p, path)
		if n.Kind == NoticeSlack && n.Secret != "" {
			clicks++
		}
	}
	if clicks > 1 {
		p.addf("approvals.notify", "people can decide in one Slack app only: only one may have a secret")
	}
	if clicks > 0 && c.Admin.Listen == "" {
		p.addf("approvals.notify", "Slack's buttons need admin.listen, where Slack tells what was pressed")
	}
}

func (n *HoldNotice) validate(p *problems, path string) {
	if n.Kind == NoticeEmail {
		n.validateEmail(p, path)
		return
	}
	if n.URL == "" {
		p.addf(path, "url is missing")
	}
	if n.URL.Plain() {
		p.safeURL(path+".url", string(n.URL))
	}
	if n.Kind == NoticeWebhook && n.Secret == "" {
		p.addf(path, "secret is missing: without a signature, anybody could tell the receiver anything")
	}
	if n.Kind == NoticeSlack && n.Secret != "" && (n.Team == "" || len(n.People) == 0) {
		p.addf(path, "team and people are missing: they say who may decide in Slack")
	}
	for j, who := range n.People {
		if who.Slack == "" || who.Subject == "" {
			p.addf(index(path+".people", j), "slack and subject are missing")
		}
	}
}

func (n *HoldNotice) validateEmail(p *problems, path string) {
	p.hostPort(path+".server", n.Server, false)
	if len(n.To) == 0 {
		p.addf(path, "to is missing")
	}
	for _, a := range append([]string{n.From}, n.To...) {
		if m, err := mail.ParseAddress(a); err != nil || m.Address != a || strings.ContainsAny(a, "\r\n") {
			p.addf(path, "%q is not a mail address", a)
		}
	}
	if n.Insecure && (!Loopback(n.Server) || n.Password != "") {
		p.addf(path+".insecure", "only for a server on loopback, and without a password")
	}
}
