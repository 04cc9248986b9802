package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/identity/token"
	"dragoman.dev/dragoman/web/api"
)

func newToken(f *flags) *cobra.Command {
	return group("token", "Issue, list and take back identity tokens", newTokenCreate(f), newTokenList(f), newTokenRevoke(f))
}

func newTokenCreate(f *flags) *cobra.Command {
	var q api.TokenRequest
	var ttl time.Duration
	c := &cobra.Command{
		Use:   "create --subject SUBJECT [--on-behalf-of PRINCIPAL] [--group GROUP]…",
		Short: "Issue a token; it is printed this once",
		Example: "  dragoman token create --subject agent:ci-bot --on-behalf-of user:alice@example.com --group analysts --ttl 1h\n" +
			"  PGPASSWORD=$(dragoman token create --subject user:alice@example.com --group analysts) psql …",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if ttl != 0 {
				q.TTL = ttl.String()
			}
			if q.Subject == "" && len(q.Chain) == 0 {
				return fail(exitUsage, "who shall the token stand for? give --subject or --chain")
			}
			cl, err := f.client()
			if err != nil {
				return err
			}
			var r api.TokenResponse
			if err := cl.post(c.Context(), "/v1/tokens", q, &r); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), r)
			}
			fmt.Fprintln(c.OutOrStdout(), r.Token)
			fmt.Fprintf(c.ErrOrStderr(), "%s for %s until %s\n", r.Issued.Identity.TokenID, r.Issued.Identity.Chain(), clock(r.Issued.Identity.Expires))
			return nil
		},
	}
	fl := c.Flags()
	fl.StringVar(&q.Subject, "subject", "", "who acts: agent:NAME, user:EMAIL …")
	fl.StringVar(&q.OnBehalfOf, "on-behalf-of", "", "for whom it acts")
	fl.StringArrayVar(&q.Chain, "chain", nil, "instead: the whole chain, principal first; repeat")
	fl.StringArrayVar(&q.Groups, "group", nil, "a group; repeat for more")
	fl.StringArrayVar(&q.Targets, "target", nil, "good for this target only; repeat for more")
	fl.StringVar(&q.CertDigest, "cert", "", "bind it to the client certificate with this SHA-256 (hex)")
	fl.DurationVar(&ttl, "ttl", 0, "how long it is good (default identity.issuer.default_ttl)")
	return c
}

func newTokenList(f *flags) *cobra.Command {
	var all bool
	var limit int
	c := &cobra.Command{Use: "list", Short: "List issued tokens (not the tokens themselves)", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			var r struct {
				Tokens []token.Issued `json:"tokens"`
			}
			q := url.Values{"all": {strconv.FormatBool(all)}, "limit": {strconv.Itoa(limit)}}
			if err := cl.get(c.Context(), "/v1/tokens", q, &r); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), r.Tokens)
			}
			t := newTable(c.OutOrStdout(), "TOKEN", "CHAIN", "GROUPS", "ISSUED", "EXPIRES", "BY", "STATE")
			for _, is := range r.Tokens {
				t.row(is.Identity.TokenID, is.Identity.Chain(), strings.Join(is.Identity.Groups, ","), clock(is.Issued), clock(is.Identity.Expires), is.By, tokenState(is))
			}
			return t.flush()
		}}
	c.Flags().BoolVar(&all, "all", false, "expired and revoked ones too")
	c.Flags().IntVar(&limit, "limit", 100, "at most so many")
	return c
}

func tokenState(is token.Issued) string {
	switch {
	case is.Revoked != nil:
		return "revoked"
	case time.Now().After(is.Identity.Expires):
		return "expired"
	}
	return "good"
}

func newTokenRevoke(f *flags) *cobra.Command {
	var q api.RevokeRequest
	c := &cobra.Command{Use: "revoke [TOKEN]", Short: "Take back a token, or all of a subject; live sessions end within a second",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				q.ID = args[0]
			}
			if (q.ID == "") == (q.Subject == "") {
				return fail(exitUsage, "give a token's id (see dragoman token list), or --subject")
			}
			cl, err := f.client()
			if err != nil {
				return err
			}
			var r identity.Revocation
			if err := cl.post(c.Context(), "/v1/tokens/revoke", q, &r); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), r)
			}
			fmt.Fprintf(c.OutOrStdout(), "revoked %s%s\n", r.TokenID, r.Subject)
			return nil
		}}
	c.Flags().StringVar(&q.Subject, "subject", "", "everything issued until now in whose chain this subject is")
	c.Flags().StringVar(&q.Reason, "reason", "", "why, for the record")
	return c
}
