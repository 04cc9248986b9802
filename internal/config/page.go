package config

import (
	"net/url"
	"slices"
)

// AdminOIDC is the provider at which people sign in to the web page.
type AdminOIDC struct {
	Name   string `yaml:"name"`   // on the button; default the issuer's host
	Issuer string `yaml:"issuer"` // one of identity.oidc, which says what its tokens mean
	// ClientID is one of that issuer's audiences.
	ClientID     string   `yaml:"client_id"`
	ClientSecret Ref      `yaml:"client_secret"` // none for a public client
	Scopes       []string `yaml:"scopes"`        // beside openid
}

// PageURL is how browsers reach the page, without a slash at its end.
func (a *Admin) PageURL() string {
	switch {
	case a.URL != "":
		return a.URL
	case a.TLS.Cert != "":
		return "https://" + a.Listen
	}
	return "http://" + a.Listen
}

// Provider is the issuer that people sign in at, nil when there is none.
func (c *Config) Provider() *OIDC {
	if c.Admin.OIDC == nil {
		return nil
	}
	i := slices.IndexFunc(c.Identity.OIDC, func(o OIDC) bool { return o.Issuer == c.Admin.OIDC.Issuer })
	if i < 0 {
		return nil
	}
	return &c.Identity.OIDC[i]
}

func (c *Config) validatePage(p *problems) {
	a := &c.Admin
	if a.URL != "" {
		u, err := url.Parse(a.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			p.addf("admin.url", "%q is not like https://dragoman.example.com", a.URL)
		}
	}
	if (a.URL != "" || a.OIDC != nil) && a.Listen == "" {
		p.addf("admin", "url and oidc are for the web page, but there is no admin.listen")
	}
	o := a.OIDC
	if o == nil {
		return
	}
	issuer := c.Provider()
	switch {
	case o.Issuer == "":
		p.addf("admin.oidc", "issuer is missing")
	case issuer == nil:
		p.addf("admin.oidc.issuer", "%s is not one of identity.oidc, which says what its tokens mean", o.Issuer)
	case o.ClientID == "":
		p.addf("admin.oidc", "client_id is missing")
	case !slices.Contains(issuer.Audiences, o.ClientID):
		p.addf("admin.oidc.client_id", "%s is not an audience of that issuer in identity.oidc, so its tokens would be refused", o.ClientID)
	}
	p.secret("admin.oidc.client_secret", o.ClientSecret, true)
	if len(a.Grants) == 0 {
		p.addf("admin.oidc", "nobody would have a role: give admin.grants")
	}
}
