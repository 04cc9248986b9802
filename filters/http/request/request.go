// Package request turns the head and body of an HTTP request into the action
// that policy judges. What is judged is what is sent: a head is normalised
// (RFC 3986, section 6) and has to be sent in that form, or it is refused (RFC 9110,
// 9112); what recipients may read in two ways is a feature that blocks unless a
// rule allows it. It does no I/O and holds no policy.
package request

import (
	"strings"

	"dragoman.dev/dragoman/filters/http/header"
)

// Head is the head of a request as it came.
type Head struct {
	// The pseudo headers; Path is the request target with its query.
	Method, Scheme, Authority, Path string
	// Headers are the header fields, names in lower case.
	Headers header.List
}

// Limits bound what is taken apart. Zero means the default.
type Limits struct {
	Target  int // bytes of path and query; default 16 KiB
	Params  int // query parameters, and fields of a body; default 512
	Headers int // header fields; default 256
	Body    int // bytes of a body that is judged; default 256 KiB
	Depth   int // nesting of a JSON body; default 64
	// Select names header fields that become parameters, beside those of
	// DefaultSelect. Those that carry credentials never do.
	Select []string
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		v   *int
		def int
	}{{&l.Target, 16 << 10}, {&l.Params, 512}, {&l.Headers, 256}, {&l.Body, 256 << 10}, {&l.Depth, 64}} {
		if *f.v <= 0 {
			*f.v = f.def
		}
	}
	return l
}

// BodyLimit is how many bytes of a body are judged at most.
func (l Limits) BodyLimit() int { return l.withDefaults().Body }

// Refusal says that a request cannot be sent on, whatever policy says.
type Refusal struct {
	Status  int    // of HTTP
	Code    string // for machines: "bad_path", "bad_header" …
	Message string // for the agent; it does not repeat what the agent sent
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

func refuse(code, message string) *Refusal { return &Refusal{400, code, message} }

// Pair is one parameter, decoded.
type Pair struct{ Name, Value string }

// Request is a head that was understood. Method, Authority and Target() are to be sent.
type Request struct {
	Method    string // upper case
	Scheme    string
	Authority string // host in lower case, with the port if there was one
	Path      string // normalised: no dot segments, no empty segments, escapes only where needed
	RawQuery  string // as it came
	Query     []Pair
	// Template is Path with ids, numbers and hashes replaced: /users/{id}.
	Template string
	// Features are those of the head (docs/policy.md).
	Features map[string]any
	// Upgrade is the protocol that is asked for, in lower case ("websocket"), or "".
	Upgrade string
	// Async says that the client prefers an answer at once to waiting (RFC 7240).
	Async bool

	selected []Pair
	headers  header.List
	lim      Limits
}

// Parse understands a head, or refuses it with a *Refusal.
func Parse(h Head, lim Limits) (*Request, error) {
	r := &Request{Scheme: strings.ToLower(h.Scheme), Features: map[string]any{}, headers: h.Headers, lim: lim.withDefaults()}
	if err := r.method(h.Method); err != nil {
		return nil, err
	}
	if err := r.fields(h.Headers); err != nil {
		return nil, err
	}
	if err := r.authority(h.Authority); err != nil {
		return nil, err
	}
	if err := r.target(h.Path); err != nil {
		return nil, err
	}
	if r.Upgrade != "" && r.Upgrade != "websocket" {
		r.ambiguous("an upgrade to another protocol")
	}
	r.Template = template(r.Path)
	return r, nil
}

// Target is the request target to be sent.
func (r *Request) Target() string {
	if r.RawQuery == "" {
		return r.Path
	}
	return r.Path + "?" + r.RawQuery
}

// Safe reports whether the method only reads (RFC 9110, section 9.2.1).
func (r *Request) Safe() bool {
	switch r.Method {
	case "GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH", "QUERY":
		return true
	}
	return false
}

// HasBody reports whether a body may follow: none is announced as empty, whatever the
// method is, since some targets read the body of a GET. After a GET that asks for an upgrade
// come the bytes of another protocol, which are no body (and must not go on before the target has agreed).
func (r *Request) HasBody() bool {
	n := r.headers.Get("content-length")
	if r.headers.Count("transfer-encoding") > 0 || n != "" {
		return n == "" || strings.Trim(n, "0") != ""
	}
	return r.Upgrade == "" || r.Method != "GET"
}

func (r *Request) method(m string) error {
	if m == "" || len(m) > 32 {
		return refuse("bad_method", "the method is missing or too long")
	}
	for i := 0; i < len(m); i++ {
		if b := m[i]; !(b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-' || b == '_') {
			return refuse("bad_method", "a method is upper case letters, digits, - and _")
		}
	}
	if m == "TRACE" || m == "CONNECT" || m == "TRACK" || m == "DEBUG" {
		return &Refusal{405, "bad_method", "the method " + m + " does not pass this gateway"}
	}
	r.Method = m
	return nil
}

// ambiguous notes what may be read in two ways; the first one is told.
func (r *Request) ambiguous(what string) {
	if _, ok := r.Features[featureAmbiguous]; !ok {
		r.Features[featureAmbiguous] = what
	}
}
