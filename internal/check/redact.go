package check

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted stands where a secret is.
const redacted = "[redacted]"

// hide says whether there is a secret without saying which.
func hide(s string) string {
	if s == "" {
		return ""
	}
	return redacted
}

// String, Format and LogValue keep secrets out of logs and error texts
// whatever the verb; only the JSON form, which is the wire, has them.

func (c Credentials) String() string {
	return fmt.Sprintf("credentials{user: %q, password: %s, database: %q}", c.User, hide(c.Password), c.Database)
}

// Format implements fmt.Formatter for every verb.
func (c Credentials) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue implements slog.LogValuer.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.String("user", c.User), slog.String("password", hide(c.Password)),
		slog.String("database", c.Database))
}

func (r OpenRequest) String() string {
	return fmt.Sprintf("open{target: %q, node: %q, token: %s, spiffe: %q, client: %q}",
		r.Target, r.Node, hide(r.Token), r.SPIFFE, r.Session.Client)
}

// Format implements fmt.Formatter for every verb.
func (r OpenRequest) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue implements slog.LogValuer.
func (r OpenRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.String("target", r.Target), slog.String("node", r.Node),
		slog.String("token", hide(r.Token)), slog.String("spiffe", r.SPIFFE), slog.String("client", r.Session.Client))
}

func (r OpenResponse) String() string {
	return fmt.Sprintf("opened{session: %q, identity: %q, target: %q, verdict: %s, %v}",
		r.Session, r.Identity.Chain(), r.Target.Name, r.Decision.Verdict, r.Credentials)
}

// Format implements fmt.Formatter for every verb.
func (r OpenResponse) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue implements slog.LogValuer.
func (r OpenResponse) LogValue() slog.Value {
	return slog.GroupValue(slog.String("session", r.Session), slog.String("identity", r.Identity.Chain()),
		slog.String("target", r.Target.Name), slog.String("verdict", r.Decision.Verdict.String()))
}

func (h Header) String() string { return fmt.Sprintf("%s: %s", h.Name, hide(h.Value)) }

// Format implements fmt.Formatter for every verb.
func (h Header) Format(f fmt.State, _ rune) { io.WriteString(f, h.String()) }

// LogValue implements slog.LogValuer.
func (h Header) LogValue() slog.Value { return slog.StringValue(h.String()) }
