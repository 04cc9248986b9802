package main

import (
	"context"
	"fmt"
	"net/url"

	"dragoman.dev/dragoman/internal/config"
	"dragoman.dev/dragoman/web/page"
)

// pageURL is where people see holds, "" without a page.
func (c *control) pageURL() string {
	if c.cfg.Admin.Listen == "" {
		return ""
	}
	return c.cfg.Admin.PageURL()
}

// pageProvider is where people sign in to the page, nil when the config names no provider.
func pageProvider(cfg *config.Config) (*page.OIDC, error) {
	o, issuer := cfg.Admin.OIDC, cfg.Provider()
	if o == nil || issuer == nil {
		return nil, nil
	}
	client, err := oidcClient(*issuer)
	if err != nil {
		return nil, fmt.Errorf("admin.oidc: %w", err)
	}
	p := &page.OIDC{Name: o.Name, Issuer: o.Issuer, ClientID: o.ClientID, Scopes: o.Scopes, Client: client,
		RedirectURL: cfg.Admin.PageURL() + "/login/oidc/callback"}
	if u, err := url.Parse(o.Issuer); p.Name == "" && err == nil {
		p.Name = u.Hostname()
	}
	if o.ClientSecret != "" {
		secrets := cfg.Secrets()
		p.ClientSecret = func(ctx context.Context) (string, error) {
			v, err := secrets.Resolve(ctx, o.ClientSecret)
			if err != nil {
				return "", fmt.Errorf("admin.oidc.client_secret: %w", err)
			}
			return v.Reveal(), nil
		}
	}
	return p, nil
}
