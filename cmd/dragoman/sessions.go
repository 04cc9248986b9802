package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/web/api"
)

func newSessions(f *flags) *cobra.Command {
	return f.stating(group("sessions", "See what happened, and what happens now",
		newSessionsList(f), newSessionsShow(f), newSessionsReplay(f), newSessionsExport(f), newSessionsTail(f), newSessionsEnd(f), newSessionsLost(f), newSessionsDelete(f)))
}

// stating lets the local user say who acts: whoever may open the admin socket may read all, and
// the access log keeps who it was.
func (f *flags) stating(c *cobra.Command) *cobra.Command {
	c.PersistentFlags().StringVar(&f.as, "as", "", "who reads: user:EMAIL; the access log keeps it, and that it was stated (default: the local user)")
	return c
}

// interruptible ends with Ctrl-C.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt)
}

func newSessionsList(f *flags) *cobra.Command {
	var identity, target, since, until, verdict, tbl, column, verb, approver, session, text, cursor string
	var live bool
	var limit int
	c := &cobra.Command{Use: "list", Short: "List sessions, newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q := url.Values{"identity": {identity}, "target": {target}, "verdict": {verdict}, "table": {tbl}, "column": {column}, "verb": {verb},
				"approver": {approver}, "session": {session}, "text": {text},
				"cursor": {cursor}, "limit": {strconv.Itoa(limit)}}
			if live {
				q.Set("live", "true")
			}
			if err := setSpan(q, since, until); err != nil {
				return err
			}
			cl, err := f.client()
			if err != nil {
				return err
			}
			var page audit.Page
			if err := cl.get(c.Context(), "/v1/sessions", q, &page); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), page)
			}
			return printSessions(c.OutOrStdout(), page)
		}}
	fl := c.Flags()
	fl.StringVar(&identity, "identity", "", "with this actor in the chain")
	fl.StringVar(&target, "target", "", "to this target")
	fl.StringVar(&since, "since", "", "started since: 2026-01-31, RFC 3339, or a duration ago like 2h")
	fl.StringVar(&until, "until", "", "started before")
	fl.StringVar(&verdict, "verdict", "", "with an action that was allowed, blocked or held: allow, block, hold")
	fl.StringVar(&tbl, "table", "", "that reads or writes this table")
	fl.StringVar(&verb, "verb", "", "with this verb: select, update …")
	fl.StringVar(&column, "column", "", "that reads or writes this column: ssn, customers.ssn or public.customers.ssn")
	fl.StringVar(&approver, "approver", "", "with a hold that they decided on")
	fl.StringVar(&session, "session", "", "with this id")
	fl.StringVar(&text, "text", "", "with a statement that has these words; \"words beside each other\", begin*")
	fl.BoolVar(&live, "live", false, "open ones only")
	fl.IntVar(&limit, "limit", 50, "at most so many")
	fl.StringVar(&cursor, "cursor", "", "go on where the page before ended")
	return c
}

func printSessions(w io.Writer, page audit.Page) error {
	t := newTable(w, "SESSION", "STARTED", "WHO", "TARGET", "ACTIONS", "BLOCKED", "HELD", "ROWS", "MASKED", "ENDED")
	for _, s := range page.Sessions {
		end := s.Reason
		if s.Live {
			end = "(live)"
		}
		t.row(s.ID, clock(s.Started), strings.Join(s.Actors, ">"), s.Target, num(s.Actions), num(s.Blocked), num(s.Held), num(s.Rows), num(s.Masked), end)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if page.Next != "" {
		fmt.Fprintf(w, "more: --cursor %s\n", page.Next)
	}
	return nil
}

func num(n int64) string { return strconv.FormatInt(n, 10) }

// moment reads a date, a time, or a duration before now.
func moment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a date, a time nor a duration", s)
}

func newSessionsShow(f *flags) *cobra.Command {
	return &cobra.Command{Use: "show SESSION", Short: "Show a session and its actions", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			out := struct {
				audit.Session
				List []audit.Action `json:"action_list"`
			}{List: []audit.Action{}}
			path := "/v1/sessions/" + url.PathEscape(args[0])
			if err := cl.get(c.Context(), path, nil, &out.Session); err != nil {
				return err
			}
			for after := uint64(0); ; {
				var r struct {
					Actions []audit.Action `json:"actions"`
				}
				q := url.Values{"after": {strconv.FormatUint(after, 10)}, "limit": {"1000"}}
				if err := cl.get(c.Context(), path+"/actions", q, &r); err != nil {
					return err
				}
				if len(r.Actions) == 0 {
					break
				}
				out.List = append(out.List, r.Actions...)
				after = r.Actions[len(r.Actions)-1].Ordinal
			}
			if f.json {
				return printJSON(c.OutOrStdout(), out)
			}
			printSession(c.OutOrStdout(), out.Session)
			t := newTable(c.OutOrStdout(), "\nACTION", "VERDICT", "RULE", "STATUS", "ROWS", "MASKED", "TOOK", "TEXT")
			for _, a := range out.List {
				t.row(strconv.FormatUint(a.Ordinal, 10), a.Verdict, a.Rule, strings.TrimSpace(a.Status+" "+a.Code), num(a.Rows), num(a.Masked), a.Duration.Round(10*time.Microsecond).String(), short(a.Text, 70))
			}
			return t.flush()
		}}
}

func printSession(w io.Writer, s audit.Session) {
	field(w, "session", s.ID)
	field(w, "who", strings.Join(s.Actors, " > "))
	field(w, "groups", strings.Join(s.Groups, ", "))
	field(w, "proven by", s.Method+" of "+s.Issuer)
	field(w, "target", s.Target+" ("+s.Protocol+")")
	field(w, "database", s.Database)
	field(w, "client", strings.TrimSpace(s.Client+" "+s.Application))
	field(w, "node", s.Node)
	field(w, "started", clock(s.Started))
	field(w, "ended", clock(s.Ended))
	field(w, "how", strings.TrimSpace(s.Reason+" "+s.Message))
	field(w, "record", fmt.Sprintf("%s, %d frames, sealed %v", s.File, s.Frames, s.Sealed))
	field(w, "hash", s.Hash)
}

// setSpan puts --since and --until into a query, if they were given.
func setSpan(q url.Values, since, until string) error {
	for name, v := range map[string]string{"since": since, "until": until} {
		t, err := moment(v, time.Now())
		if err != nil {
			return fail(exitUsage, "--%s: %w", name, err)
		}
		if !t.IsZero() {
			q.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	return nil
}

// tellSession asks the control plane to do something with one session, and says that it did: format has the session in it.
func (f *flags) tellSession(c *cobra.Command, id, what string, body any, format string) error {
	cl, err := f.client()
	if err != nil {
		return err
	}
	var r map[string]string
	if err := cl.post(c.Context(), "/v1/sessions/"+url.PathEscape(id)+"/"+what, body, &r); err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), format, r["session"])
	return err
}

func newSessionsEnd(f *flags) *cobra.Command {
	var q api.EndRequest
	c := &cobra.Command{Use: "end SESSION", Short: "End a live session", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.tellSession(c, args[0], "end", q, "%s is ending\n")
		}}
	c.Flags().StringVar(&q.Reason, "reason", "", "why, for the log")
	return c
}

func newSessionsLost(f *flags) *cobra.Command {
	return &cobra.Command{Use: "lost SESSION", Short: "Close the record of a session whose node never comes back",
		Long: "Close the record of a live session whose Envoy, with its spool, is gone for good. The record then says that its end was lost.\n" +
			"A node that only restarts ships the rest by itself; do not do this for it.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.tellSession(c, args[0], "lost", nil, "the record of %s is closed as lost\n")
		}}
}

func newSessionsDelete(f *flags) *cobra.Command {
	return &cobra.Command{Use: "delete SESSION", Short: "Delete the record of a session that has ended, for good",
		Long: "Destroy a record's data key and remove the record and all that the index has of it. The transparency log keeps an\n" +
			"entry that says so, and the access log who did it. Records of targets under legal hold stay.\n" +
			"For what is to go after a time by itself see audit.retention in docs/configuration.md.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return f.tellSession(c, args[0], "delete", nil, "the record of %s is deleted\n")
		}}
}
