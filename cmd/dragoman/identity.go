package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/oidc"
	"dragoman.dev/dragoman/internal/identity/spiffe"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/web/api"
)

// authenticatorOf builds the authenticator of all issuers of the config.
func authenticatorOf(cfg *config.Config, issuer *token.Issuer, revs identity.Revocations, log *slog.Logger) (*identity.Authenticator, error) {
	verifiers := []identity.Verifier{issuer}
	for _, o := range cfg.Identity.OIDC {
		v, err := oidcVerifier(o, log)
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, v)
	}
	var certs identity.CertVerifier
	if len(cfg.Identity.SPIFFE) > 0 {
		var domains []spiffe.TrustDomain
		for _, d := range cfg.Identity.SPIFFE {
			td := spiffe.TrustDomain{Name: d.Name, Groups: d.Groups, Paths: d.Paths}
			for _, m := range d.Mappings {
				td.Mappings = append(td.Mappings, spiffe.Mapping(m))
			}
			domains = append(domains, td)
		}
		v, err := spiffe.New(domains)
		if err != nil {
			return nil, err
		}
		certs = v
	}
	keys, err := sshVerifier(cfg.Identity.SSH)
	if err != nil {
		return nil, err
	}
	auth, err := identity.NewAuthenticator(verifiers, certs, revs)
	if err != nil {
		return nil, err
	}
	return auth.WithKeys(keys), nil
}

// oidcClient asks an issuer for its documents.
func oidcClient(o config.OIDC) (*http.Client, error) {
	var cas []byte
	if o.CA != "" {
		var err error
		if cas, err = os.ReadFile(o.CA); err != nil {
			return nil, fmt.Errorf("issuer %s: %w", o.Issuer, err)
		}
	}
	client, err := oidc.NewClient(cas)
	if err != nil {
		return nil, fmt.Errorf("issuer %s: %w", o.Issuer, err)
	}
	return client, nil
}

func oidcVerifier(o config.OIDC, log *slog.Logger) (*oidc.Verifier, error) {
	client, err := oidcClient(o)
	if err != nil {
		return nil, err
	}
	return oidc.New(oidc.Config{
		Issuer: o.Issuer, Audiences: o.Audiences, Algorithms: o.Algorithms, JWKSURL: o.JWKSURL, AllowHTTP: o.AllowHTTP,
		Client: client, Now: time.Now, Log: log,
		Mapping: oidc.Mapping{Shape: o.Shape, Subject: o.Subject, SubjectPrefix: o.SubjectPrefix, OnBehalfOf: o.OnBehalfOf,
			ActorPrefix: o.ActorPrefix, GroupsClaim: o.GroupsClaim, GroupPrefix: o.GroupPrefix, Groups: o.Groups,
			Claims: o.Claims, AllowUnverifiedEmail: o.AllowUnverifiedEmail},
	})
}

// endless makes sessions outlive their credential
// (identity.end_sessions_at_expiry: false): what is proven at the opening is
// checked as ever, but no end is set.
type endless struct{ *identity.Authenticator }

// Authenticate implements authz.Authenticator.
func (e endless) Authenticate(ctx context.Context, c identity.Credential) (identity.Proof, error) {
	p, err := e.Authenticator.Authenticate(ctx, c)
	p.Identity.Expires = time.Time{}
	return p, err
}

// bearerOf is the access of the HTTP API's port.
func bearerOf(ctx context.Context, cfg *config.Config, auth api.Authenticator) (api.Bearer, error) {
	b := api.Bearer{Authenticator: auth}
	secrets := cfg.Secrets()
	for i, t := range cfg.Admin.Tokens {
		v, err := secrets.Resolve(ctx, t.Token)
		if err != nil {
			return b, fmt.Errorf("admin.tokens[%d]: %w", i, err)
		}
		const shortest = 20 // bytes; less can be guessed
		if len(v.Reveal()) < shortest {
			return b, fmt.Errorf("admin.tokens[%d]: shorter than %d characters", i, shortest)
		}
		id := identity.New(t.Subject)
		id.Groups = append(id.Groups, t.Groups...)
		id.Method, id.Issuer = identity.MethodToken, "admin.tokens"
		if err := id.Validate(); err != nil {
			return b, fmt.Errorf("admin.tokens[%d]: %w", i, err)
		}
		roles, err := rolesOf(t.Roles)
		if err != nil {
			return b, fmt.Errorf("admin.tokens[%d]: %w", i, err)
		}
		b.Fixed = append(b.Fixed, api.Fixed{SHA256: sha256.Sum256([]byte(v.Reveal())), Identity: id, Roles: roles})
	}
	for i, g := range cfg.Admin.Grants {
		roles, err := rolesOf(g.Roles)
		if err != nil {
			return b, fmt.Errorf("admin.grants[%d]: %w", i, err)
		}
		b.Grants = append(b.Grants, api.Grant{Groups: g.Groups, Subjects: g.Subjects, Roles: roles})
	}
	return b, nil
}

func rolesOf(names []string) ([]api.Role, error) {
	roles := make([]api.Role, len(names))
	for i, n := range names {
		var err error
		if roles[i], err = api.ParseRole(n); err != nil {
			return nil, err
		}
	}
	return roles, nil
}
