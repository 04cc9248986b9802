// Package spiffe maps the SPIFFE ID of a verified client certificate onto an
// identity. The verification itself, chain and all, is Envoy's; this package
// owns which trust domains and paths are believed and what they are called.
package spiffe

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"dragoman.dev/dragoman/internal/identity"
)

// TrustDomain is one domain whose workloads are believed.
type TrustDomain struct {
	Name string // "example.org"
	// Groups are given to every member.
	Groups []string
	// Paths are globs over the whole path that are accepted ("/ns/*/sa/*", "*" does not cross
	// a slash); none means all.
	Paths []string
	// Mappings name members otherwise; the first whose Path fits wins. The
	// others' subject is the SPIFFE ID itself.
	Mappings []Mapping
}

// Mapping names the members under a path.
type Mapping struct {
	// Path is a glob like TrustDomain.Paths.
	Path string
	// Subject is a template in which {1}, {2} … are the path's segments:
	// "k8s:{2}/{4}" for /ns/NAMESPACE/sa/NAME.
	Subject string
	Groups  []string
}

// Verifier implements identity.CertVerifier.
type Verifier struct {
	domains map[spiffeid.TrustDomain]TrustDomain
}

var _ identity.CertVerifier = (*Verifier)(nil)

// New checks the configuration.
func New(domains []TrustDomain) (*Verifier, error) {
	v := &Verifier{domains: map[spiffeid.TrustDomain]TrustDomain{}}
	for _, d := range domains {
		td, err := spiffeid.TrustDomainFromString(d.Name)
		if err != nil {
			return nil, fmt.Errorf("spiffe: trust domain %q: %w", d.Name, err)
		}
		if _, dup := v.domains[td]; dup {
			return nil, fmt.Errorf("spiffe: trust domain %q is configured twice", d.Name)
		}
		globs := d.Paths
		for _, m := range d.Mappings {
			globs = append(globs[:len(globs):len(globs)], m.Path)
			if _, err := expand(m.Subject, strings.Repeat("/x", 32)); err != nil {
				return nil, fmt.Errorf("spiffe: trust domain %q: %w", d.Name, err)
			}
		}
		for _, g := range globs {
			if _, err := path.Match(g, "/"); err != nil || !strings.HasPrefix(g, "/") {
				return nil, fmt.Errorf("spiffe: trust domain %q: %q is not a pattern like /ns/*/sa/*", d.Name, g)
			}
		}
		v.domains[td] = d
	}
	return v, nil
}

// Identify implements identity.CertVerifier.
func (v *Verifier) Identify(raw, certDigest string) (identity.Proof, error) {
	if len(raw) > identity.MaxName {
		return identity.Proof{}, identity.Refuse(identity.ReasonMalformed, "a SPIFFE ID of %d bytes", len(raw))
	}
	id, err := spiffeid.FromString(raw)
	if err != nil {
		return identity.Proof{}, identity.Refuse(identity.ReasonMalformed, "%q: %w", raw, err)
	}
	d, ok := v.domains[id.TrustDomain()]
	if !ok {
		return identity.Proof{}, identity.Refuse(identity.ReasonIssuer, "trust domain %q is not configured", id.TrustDomain())
	}
	if id.Path() == "" { // the domain itself: its CA, no workload
		return identity.Proof{}, identity.Refuse(identity.ReasonClaims, "%q names no workload", raw)
	}
	if len(d.Paths) > 0 && !matches(d.Paths, id.Path()) {
		return identity.Proof{}, identity.Refuse(identity.ReasonClaims, "%q is not among the accepted paths", raw)
	}
	subject, groups, err := d.name(id)
	if err != nil {
		return identity.Proof{}, identity.Refuse(identity.ReasonClaims, "%q: %w", raw, err)
	}
	who := identity.New(subject)
	who.Groups = append(append(who.Groups, d.Groups...), groups...)
	who.Issuer, who.Method = id.TrustDomain().IDString(), identity.MethodMTLS
	who.TokenID = "cert:" + strings.ToLower(certDigest)
	if certDigest == "" { // an Envoy that cannot tell; then all of its certificates are revoked together
		who.TokenID = id.String()
	}
	who.Claims = map[string]any{"spiffe_id": id.String()}
	return identity.Proof{Identity: who}, nil
}

func matches(globs []string, p string) bool {
	for _, g := range globs {
		if ok, err := path.Match(g, p); ok && err == nil {
			return true
		}
	}
	return false
}

func (d TrustDomain) name(id spiffeid.ID) (subject string, groups []string, err error) {
	for _, m := range d.Mappings {
		if matches([]string{m.Path}, id.Path()) {
			subject, err = expand(m.Subject, id.Path())
			return subject, m.Groups, err
		}
	}
	return id.String(), nil, nil
}

// expand puts the path's segments, counted from 1, into a template.
func expand(template, p string) (string, error) {
	segments := strings.Split(strings.TrimPrefix(p, "/"), "/")
	var pairs []string
	for i, s := range segments {
		pairs = append(pairs, fmt.Sprintf("{%d}", i+1), identity.Escape(s))
	}
	out := strings.NewReplacer(pairs...).Replace(template)
	if template == "" || strings.ContainsAny(out, "{}") {
		return "", errors.New("a subject template has text and {1}, {2} … for segments of the path")
	}
	return out, identity.CheckName(out)
}
