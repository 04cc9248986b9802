package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/jwt"
)

// Shapes of tokens that are known by themselves.
const (
	ShapeOIDC       = "" // an OpenID Connect provider: "sub"
	ShapeGitHub     = "github"
	ShapeGitLab     = "gitlab"
	ShapeKubernetes = "kubernetes"
)

// Mapping makes an identity of claims.
type Mapping struct {
	// Shape gives the defaults of a known kind of token: "github" (Actions):
	// github:ORG/REPO:REF, "gitlab" (CI/CD): gitlab:GROUP/PROJECT:REF_TYPE/REF,
	// "kubernetes" (service account): k8s:NAMESPACE/NAME.
	Shape string
	// Subject is a claim's name ("sub" by default), or a template with claims
	// in braces: "ci:{project_path}/{ref}". Values are percent-encoded as
	// identity.Escape does. SubjectPrefix is put before it.
	Subject       string
	SubjectPrefix string
	// OnBehalfOf is a template for the principal of a token that has no "act"
	// itself, for example "user:{user_login}"; "" means none.
	OnBehalfOf string
	// ActorPrefix is put before the subjects of "act" claims.
	ActorPrefix string
	// GroupsClaim holds the groups ("groups" by default); GroupPrefix is put
	// before each.
	GroupsClaim string
	GroupPrefix string
	// Groups are given to everyone whom this issuer vouches for.
	Groups []string
	// Claims are names of claims that policy sees as identity.claims.
	Claims []string
	// AllowUnverifiedEmail lets {email} be used without "email_verified".
	AllowUnverifiedEmail bool
}

// shapes are the defaults; what Mapping sets wins, Claims are added.
var shapes = map[string]Mapping{
	ShapeOIDC: {Subject: "{sub}", GroupsClaim: "groups"},
	ShapeGitHub: {Subject: "github:{repository}:{ref}", Claims: []string{"repository", "repository_id", "repository_owner", "ref", "ref_protected",
		"sha", "workflow_ref", "job_workflow_ref", "environment", "event_name", "actor", "run_id", "runner_environment"}},
	ShapeGitLab: {Subject: "gitlab:{project_path}:{ref_type}/{ref}", Claims: []string{"project_id", "project_path", "namespace_path", "ref", "ref_type",
		"ref_protected", "environment", "pipeline_id", "pipeline_source", "job_id", "user_login", "sha"}},
	ShapeKubernetes: {Subject: "k8s:{kubernetes.io/namespace}/{kubernetes.io/serviceaccount/name}", Claims: []string{"kubernetes.io"}},
}

// mapper is a checked Mapping.
type mapper struct {
	Mapping
	subject, principal template
}

// maxClaims bounds the claims shown to policy, in bytes of JSON.
const maxClaims = 16 << 10

func newMapper(m Mapping) (*mapper, error) {
	base, ok := shapes[m.Shape]
	if !ok {
		return nil, fmt.Errorf("no shape %q (github, gitlab, kubernetes)", m.Shape)
	}
	if m.Subject == "" {
		m.Subject = base.Subject
	} else if !strings.Contains(m.Subject, "{") {
		m.Subject = "{" + m.Subject + "}"
	}
	if m.GroupsClaim == "" {
		m.GroupsClaim = base.GroupsClaim
	}
	m.Claims = append(slices.Clone(base.Claims), m.Claims...)
	out := &mapper{Mapping: m}
	var err error
	if out.subject, err = parseTemplate(m.SubjectPrefix, m.Subject); err != nil {
		return nil, err
	}
	if m.OnBehalfOf != "" {
		out.principal, err = parseTemplate("", m.OnBehalfOf)
	}
	return out, err
}

// identity maps the claims of a proven token.
func (m *mapper) identity(c jwt.Claims) (identity.Identity, error) {
	if m.Shape == ShapeKubernetes {
		if err := checkServiceAccount(c); err != nil {
			return identity.Identity{}, err
		}
	}
	first, err := m.expand(m.subject, c)
	if err != nil {
		return identity.Identity{}, err
	}
	chain, err := c.Chain(identity.MaxDepth)
	if err != nil {
		return identity.Identity{}, err
	}
	chain[0] = first
	for i := range chain[1:] {
		chain[i+1] = m.ActorPrefix + identity.Escape(chain[i+1])
	}
	if m.principal != nil && len(chain) == 1 {
		principal, err := m.expand(m.principal, c)
		if err != nil {
			return identity.Identity{}, err
		}
		chain = []string{principal, first}
	}
	id := identity.New(chain...)
	id.Groups = append(id.Groups, m.Groups...)
	if m.GroupsClaim != "" {
		groups, err := c.Texts(m.GroupsClaim)
		if err != nil {
			return identity.Identity{}, err
		}
		for _, g := range groups {
			id.Groups = append(id.Groups, m.GroupPrefix+g)
		}
	}
	id.Claims, err = m.claims(c)
	return id, err
}

func (m *mapper) claims(c jwt.Claims) (map[string]any, error) {
	var out map[string]any
	size := 0
	for _, name := range m.Claims {
		raw, ok := c[name]
		if !ok {
			continue
		}
		if size += len(name) + len(raw); size > maxClaims {
			return nil, fmt.Errorf("the claims for policy have more than %d bytes", maxClaims)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, err
		}
		if out == nil {
			out = map[string]any{}
		}
		out[name] = v
	}
	return out, nil
}

// checkServiceAccount makes sure that "sub" and the private claims agree: they
// come from one API server, but a mapping must not depend on which one is read.
func checkServiceAccount(c jwt.Claims) error {
	sub, err := c.Text("sub")
	if err != nil {
		return err
	}
	ns, err1 := lookup(c, "kubernetes.io/namespace")
	sa, err2 := lookup(c, "kubernetes.io/serviceaccount/name")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if sub != "system:serviceaccount:"+ns+":"+sa {
		return fmt.Errorf("sub %.200q is not that service account's", sub)
	}
	return nil
}

// template is text and claims in turn, beginning with text.
type template []string

var claimPath = regexp.MustCompile(`^[A-Za-z0-9_.:-]+(/[A-Za-z0-9_.:-]+)*$`)

func parseTemplate(prefix, s string) (template, error) {
	bad := fmt.Errorf("bad template %q: text with claims in braces, like \"user:{email}\"", s)
	t := template{prefix}
	for {
		text, rest, more := strings.Cut(s, "{")
		t[len(t)-1] += text
		if !more {
			break
		}
		claim, after, closed := strings.Cut(rest, "}")
		if !closed || !claimPath.MatchString(claim) {
			return nil, bad
		}
		t = append(t, claim, "")
		s = after
	}
	if len(t) == 1 { // everybody would be the same subject
		return nil, bad
	}
	for i := 0; i < len(t); i += 2 {
		if t[i] != "" && identity.CheckName(t[i]) != nil {
			return nil, bad
		}
	}
	return t, nil
}

// expand fills a template; a claim that is missing or empty is an error.
func (m *mapper) expand(t template, c jwt.Claims) (string, error) {
	var b strings.Builder
	for i, part := range t {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		if part == "email" && !m.AllowUnverifiedEmail && string(c["email_verified"]) != "true" {
			return "", errors.New("the issuer has not verified the e-mail address")
		}
		v, err := lookup(c, part)
		if err != nil {
			return "", err
		}
		b.WriteString(identity.Escape(v))
	}
	return b.String(), nil
}

// lookup finds a claim by its exact name, or by a path into objects.
func lookup(c jwt.Claims, path string) (string, error) {
	if _, ok := c[path]; ok {
		return c.Text(path)
	}
	head, rest, nested := strings.Cut(path, "/")
	if !nested {
		return c.Text(path)
	}
	o, err := c.Object(head)
	if err != nil {
		return "", err
	}
	return lookup(o, rest)
}
