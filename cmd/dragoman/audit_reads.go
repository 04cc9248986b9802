package main

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/access"
)

func newAuditReads(f *flags) *cobra.Command {
	var session, identity, since, until string
	var limit int
	c := &cobra.Command{Use: "reads", Short: "Show who read which session, when and how, newest first",
		Long: "Show the access log: every list, show, replay, export and tail of sessions, by the command line and the API,\n" +
			"refused ones too. It is itself recorded like sessions, on the target (audit), and verified with them.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q := url.Values{"session": {session}, "identity": {identity}, "limit": {strconv.Itoa(limit)}}
			if err := setSpan(q, since, until); err != nil {
				return err
			}
			cl, err := f.client()
			if err != nil {
				return err
			}
			var r struct {
				Reads []access.Entry `json:"reads"`
			}
			if err := cl.get(c.Context(), "/v1/reads", q, &r); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), r.Reads)
			}
			t := newTable(c.OutOrStdout(), "TIME", "WHO", "STATED BY", "VIA", "WAY", "SESSIONS", "SERVED")
			for _, e := range r.Reads {
				served := "yes"
				if !e.Allowed {
					served = "no: " + e.Reason
				}
				stated := ""
				if e.Method == "local" && e.Issuer != "local" {
					stated = e.Issuer
				}
				sessions := strings.Join(e.Sessions, ",")
				if n := len(e.Sessions); n > 3 {
					sessions = strings.Join(e.Sessions[:3], ",") + " and " + strconv.Itoa(n-3) + " more"
				}
				t.row(clock(e.Time), strings.Join(e.Chain, ">"), stated, e.Via, e.Way, sessions, served)
			}
			return t.flush()
		}}
	fl := c.Flags()
	fl.StringVar(&session, "session", "", "of this session")
	fl.StringVar(&identity, "identity", "", "by this actor")
	fl.StringVar(&since, "since", "", "since: 2026-01-31, RFC 3339, or a duration ago like 2h")
	fl.StringVar(&until, "until", "", "before")
	fl.IntVar(&limit, "limit", 100, "at most so many")
	return c
}
