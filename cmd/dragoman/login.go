package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/web/agent"
	"dragoman.dev/dragoman/web/api"
)

// beside serves the API's paths, and that of agents, with a handler each, and everything else with that of people.
func beside(programs, people, agents http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, "/v1/"), p == "/metrics", strings.HasPrefix(p, "/metrics/"), p == "/healthz", p == "/readyz", p == "/openapi.json":
			programs.ServeHTTP(w, r)
		case p == agent.Path:
			agents.ServeHTTP(w, r)
		default:
			people.ServeHTTP(w, r)
		}
	})
}

func newLogin(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "login",
		Short: "Print a link that signs a browser in to the page, once and within a minute",
		Long: "Print a link that signs a browser in to the page as the local user, an administrator, once and within a minute.\n" +
			"Others sign in with a token whose groups have a role (admin.grants).",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			cl, err := f.client()
			if err != nil {
				return err
			}
			var r api.LoginCode
			if err := cl.post(c.Context(), "/v1/logins", nil, &r); err != nil {
				return err
			}
			link := cfg.Admin.PageURL() + "/login/code?code=" + url.QueryEscape(r.Code)
			if f.json {
				return printJSON(c.OutOrStdout(), map[string]string{"url": link})
			}
			fmt.Fprintln(c.OutOrStdout(), link)
			return nil
		},
	}
}
