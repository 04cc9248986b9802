package config

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Duration is written as Go writes it: "30s", "5m", "1h30m".
type Duration time.Duration

// Std is the value as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalYAML refuses bare numbers: their unit would be a guess.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if days, ok := strings.CutSuffix(n.Value, "d"); ok {
		var d uint64
		d, err = strconv.ParseUint(days, 10, 16) // 65,535 days are less than the longest duration
		v = time.Duration(d) * 24 * time.Hour
	}
	if err != nil || v < 0 {
		return scalarError(n, "a duration like 30s, 5m, 1h30m or 90d")
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes: 65536, "64KiB", "1GiB", "10MB".
type Size int64

var units = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// UnmarshalYAML accepts a plain number of bytes or one with a unit.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	text, factor := n.Value, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			text, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > (1<<62)/factor {
		return scalarError(n, "a size like 65536, 64KiB or 1GiB")
	}
	*s = Size(v * factor)
	return nil
}

// Ref names a secret, or is a plain value where that is allowed:
//
//	env:NAME           an environment variable of the control plane
//	file:PATH          a file's content without its last newline
//	vault:MOUNT/PATH#KEY   a field of a KV version 2 secret
//
// A Ref prints as what it is, a reference; a plain value prints as itself, which
// is why secrets must be references (see Plain).
type Ref string

// Plain reports whether the value is written out, not referred to.
func (r Ref) Plain() bool {
	return r != "" && r.scheme() == ""
}

func (r Ref) scheme() string {
	for _, s := range []string{"env", "file", "vault"} {
		if strings.HasPrefix(string(r), s+":") {
			return s
		}
	}
	return ""
}

// Secret is a value that must not be seen. However it is printed, logged or
// encoded, it shows as "[secret]".
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(v string) Secret { return Secret{v} }

// Reveal returns the value, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

const secretShown = "[secret]"

func (s Secret) String() string { return secretShown }

// Format covers every verb, %#v and %x included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secretShown)) }

func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(secretShown) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(secretShown), nil }
func (s Secret) MarshalYAML() (any, error)    { return secretShown, nil }

func scalarError(n *yaml.Node, want string) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %q is not %s", n.Line, n.Value, want)}}
}
