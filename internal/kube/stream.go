package kube

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Subresources of pods whose requests become streams. They are the bridge's: whoever else
// decodes a request refuses them (IsStream), in whatever way they are written.
const (
	Exec        = "exec"
	Attach      = "attach"
	PortForward = "portforward"
)

// StreamPath is the regular expression (RE2, of a whole path) that Envoy's route to the bridge matches. ParseStream takes
// nothing else. Names of namespaces and pods are DNS labels and subdomains (RFC 1123), so nothing is ever
// percent-encoded.
const StreamPath = `^/api/v1/namespaces/[a-z0-9-]+/pods/[a-z0-9.-]+/(?:exec|attach|portforward)$`

// Bounds of a stream request.
const (
	maxName    = 253       // of a pod; of a namespace it is 63
	maxCommand = 1024      // words
	maxQuery   = 128 << 10 // bytes
	maxPorts   = 64
)

// Stream is a request for exec, attach or portforward.
type Stream struct {
	Subresource string
	Namespace   string
	Pod         string
	Container   string   // "" leaves the choice to the cluster
	Command     []string // of exec
	Stdin       bool
	Stdout      bool
	Stderr      bool
	TTY         bool
	Ports       []uint16 // of portforward over WebSocket channels
}

// ErrStream says that a request is not one of a stream, or can be read in two ways.
var ErrStream = errors.New("not a request for exec, attach or portforward that can be judged")

// ParseStream reads a request's path and query as they came. What it accepts, the API server reads in the same
// way: unknown, repeated and odd parameters are errors. Query gives it back in one form.
func ParseStream(path, rawQuery string) (Stream, error) {
	parts := strings.Split(path, "/")
	if len(parts) != 8 || parts[0] != "" || parts[1] != "api" || parts[2] != "v1" || parts[3] != "namespaces" || parts[5] != "pods" ||
		!dnsName(parts[4], false) || !dnsName(parts[6], true) || parts[7] != Exec && parts[7] != Attach && parts[7] != PortForward {
		return Stream{}, ErrStream
	}
	s := Stream{Subresource: parts[7], Namespace: parts[4], Pod: parts[6]}
	if len(rawQuery) > maxQuery {
		return Stream{}, fmt.Errorf("%w: the query has %d bytes", ErrStream, len(rawQuery))
	}
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return Stream{}, fmt.Errorf("%w: %w", ErrStream, err)
	}
	for name, values := range q {
		if err := s.parameter(name, values); err != nil {
			return Stream{}, err
		}
	}
	return s, s.check()
}

// parameter is one parameter of PodExecOptions, PodAttachOptions or PodPortForwardOptions.
func (s *Stream) parameter(name string, values []string) error {
	flags := map[string]*bool{"stdin": &s.Stdin, "stdout": &s.Stdout, "stderr": &s.Stderr, "tty": &s.TTY}
	forward := s.Subresource == PortForward
	switch to, flag := flags[name]; {
	case flag && !forward:
		if len(values) != 1 {
			return fmt.Errorf("%w: %s comes twice", ErrStream, name)
		}
		switch values[0] {
		case "true", "1":
			*to = true
		case "false", "0":
		default:
			return fmt.Errorf("%w: %s is %q", ErrStream, name, values[0])
		}
	case name == "container" && !forward:
		if len(values) != 1 || values[0] != "" && !dnsName(values[0], false) {
			return fmt.Errorf("%w: container", ErrStream)
		}
		s.Container = values[0]
	case name == "command" && s.Subresource == Exec:
		if len(values) > maxCommand {
			return fmt.Errorf("%w: the command has %d words", ErrStream, len(values))
		}
		s.Command = values
	case name == "ports" && forward:
		return s.ports(values)
	default:
		return fmt.Errorf("%w: parameter %q", ErrStream, name)
	}
	return nil
}

// ports are numbers, with commas between them, or several parameters.
func (s *Stream) ports(values []string) error {
	for _, v := range values {
		for _, one := range strings.Split(v, ",") {
			n, err := strconv.ParseUint(one, 10, 16)
			if err != nil || n == 0 || len(s.Ports) >= maxPorts || slices.Contains(s.Ports, uint16(n)) {
				return fmt.Errorf("%w: ports", ErrStream)
			}
			s.Ports = append(s.Ports, uint16(n))
		}
	}
	return nil
}

func (s *Stream) check() error {
	switch {
	case s.Subresource == PortForward:
	case s.Subresource == Exec && (len(s.Command) == 0 || s.Command[0] == ""):
		return fmt.Errorf("%w: there is no command", ErrStream)
	case !s.Stdin && !s.Stdout && !s.Stderr:
		return fmt.Errorf("%w: neither stdin, stdout nor stderr is asked for", ErrStream)
	case s.TTY && s.Stderr:
		s.Stderr = false // a terminal has one output, which is what kubelet makes of it
	}
	return nil
}

// Path is the request's path.
func (s *Stream) Path() string {
	return "/api/v1/namespaces/" + s.Namespace + "/pods/" + s.Pod + "/" + s.Subresource
}

// Query is the request's query in the one form that a target gets.
func (s *Stream) Query() string {
	q := url.Values{}
	for name, on := range map[string]bool{"stdin": s.Stdin, "stdout": s.Stdout, "stderr": s.Stderr, "tty": s.TTY} {
		if on {
			q.Set(name, "true")
		}
	}
	if s.Container != "" {
		q.Set("container", s.Container)
	}
	if len(s.Command) > 0 {
		q["command"] = s.Command
	}
	if len(s.Ports) > 0 {
		list := make([]string, len(s.Ports))
		for i, p := range s.Ports {
			list[i] = strconv.Itoa(int(p))
		}
		q.Set("ports", strings.Join(list, ","))
	}
	return q.Encode()
}

// dnsName reports whether s is a label or, with dots, a subdomain of RFC 1123.
func dnsName(s string, dots bool) bool {
	most := 63
	if dots {
		most = maxName
	}
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		edge := i == 0 || i == len(s)-1
		switch b := s[i]; {
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9':
		case b == '-' && !edge, b == '.' && dots && !edge:
		default:
			return false
		}
	}
	return true
}

// IsStream reports whether a path may be taken for that of a stream by anybody: percent-encodings are undone as often
// as they may be, and empty and dot segments are looked through. It is for those who must refuse streams.
func IsStream(path string) bool {
	for range 4 {
		if streamSegments(path) {
			return true
		}
		next, err := url.PathUnescape(path)
		if err != nil || next == path {
			break
		}
		path = next
	}
	return false
}

// streamSegments looks for …/pods/NAME/exec and its kin, whatever stands before and behind.
func streamSegments(path string) bool {
	var segments []string
	for _, s := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		s, _, _ = strings.Cut(s, ";")
		switch s = strings.TrimSpace(strings.ToLower(s)); s {
		case "", ".":
		case "..":
			segments = segments[:max(0, len(segments)-1)]
		default:
			segments = append(segments, s)
		}
	}
	for i := 2; i < len(segments); i++ {
		if segments[i-2] == "pods" && slices.Contains([]string{Exec, Attach, PortForward}, segments[i]) {
			return true
		}
	}
	return false
}
