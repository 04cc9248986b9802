package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/web/api"
)

func newApprovals(f *flags) *cobra.Command {
	return group("approvals", "See what is held, and decide",
		newApprovalsList(f), newApprovalsShow(f), newDecide(f, true), newDecide(f, false), newApprovalsWatch(f))
}

func newApprovalsList(f *flags) *cobra.Command {
	var states []string
	var all bool
	var target, session string
	var limit int
	c := &cobra.Command{Use: "list", Short: "List holds; without --state or --all those that wait", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			if len(states) == 0 && !all {
				states = []string{string(hold.Pending)}
			}
			var r struct {
				Approvals []hold.Hold `json:"approvals"`
			}
			q := url.Values{"state": states, "target": {target}, "session": {session}, "limit": {strconv.Itoa(limit)}}
			if err := cl.get(c.Context(), "/v1/approvals", q, &r); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), r.Approvals)
			}
			t := newTable(c.OutOrStdout(), "HOLD", "STATE", "WAITS UNTIL", "WHO", "TARGET", "APPROVERS", "ACTION")
			for _, h := range r.Approvals {
				t.row(h.ID, string(h.State), clock(h.Deadline), h.Identity.Chain(), h.Target, strings.Join(h.Approvers, ","), short(h.Action.Text, 60))
			}
			return t.flush()
		}}
	fl := c.Flags()
	fl.StringArrayVar(&states, "state", nil, "pending, approved, used, denied, expired, withdrawn; repeat for more")
	fl.BoolVar(&all, "all", false, "in any state")
	fl.StringVar(&target, "target", "", "of this target")
	fl.StringVar(&session, "session", "", "of this session")
	fl.IntVar(&limit, "limit", 100, "at most so many")
	return c
}

func newApprovalsShow(f *flags) *cobra.Command {
	return &cobra.Command{Use: "show HOLD", Short: "Show one hold", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			var h hold.Hold
			if err := cl.get(c.Context(), "/v1/approvals/"+url.PathEscape(args[0]), nil, &h); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), h)
			}
			printHold(c.OutOrStdout(), h)
			return nil
		}}
}

func printHold(w io.Writer, h hold.Hold) {
	field(w, "hold", h.ID)
	field(w, "state", string(h.State))
	field(w, "who", h.Identity.Chain())
	field(w, "groups", strings.Join(h.Identity.Groups, ", "))
	field(w, "target", h.Target)
	field(w, "session", h.Session)
	field(w, "rule", h.Rule)
	field(w, "reason", h.Reason)
	if h.Purpose != "" {
		field(w, "the agent says", h.Purpose)
	}
	if h.ShapeFor > 0 {
		field(w, "shape", fmt.Sprintf("may be approved for up to %s", h.ShapeFor))
	}
	field(w, "approvers", fmt.Sprintf("%d of %s", max(1, h.Quorum), strings.Join(h.Approvers, ", ")))
	field(w, "asked", clock(h.Created))
	field(w, "waits until", clock(h.Deadline))
	field(w, "digest", h.Digest)
	printObjects(w, "reads", h.Action.Reads)
	printObjects(w, "writes", h.Action.Writes)
	if h.Estimate != nil {
		field(w, "estimate", h.Estimate.String())
	}
	fmt.Fprintln(w, "action:")
	printStatement(w, "  ", &h, onTerminal(w), 0)
	for i, p := range h.Action.Params {
		v := p.Value
		if p.Null {
			v = "NULL"
		}
		fmt.Fprintf(w, "  $%d = %s\n", i+1, clean(v))
	}
	for _, d := range h.Decisions {
		word := "denied"
		if d.Approve {
			word = "approved"
		}
		fmt.Fprintf(w, "%s by %s (%s, %s, via %s) at %s  %s\n", word, clean(d.By.Chain()), clean(d.Group), d.By.Method, clean(d.Via), clock(d.At), clean(d.Reason))
	}
}

func newDecide(f *flags, approve bool) *cobra.Command {
	word, done := "deny", "denied"
	if approve {
		word, done = "approve", "approved"
	}
	var q api.DecisionRequest
	c := &cobra.Command{Use: word + " HOLD --as SUBJECT --group GROUP", Short: strings.ToUpper(word[:1]) + word[1:] + " a hold",
		Long: strings.ToUpper(word[:1]) + word[1:] + " a hold over the admin socket. --as states who decides, and the record says that it\n" +
			"was stated there (method local, via admin-socket). Over the HTTP API it is the token's identity.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			var h hold.Hold
			if err := cl.post(c.Context(), "/v1/approvals/"+url.PathEscape(args[0])+"/"+word, q, &h); err != nil {
				return err
			}
			if f.json {
				return printJSON(c.OutOrStdout(), h)
			}
			fmt.Fprintf(c.OutOrStdout(), "%s by %s; %s is %s\n", done, clean(q.As), h.ID, h.State)
			return nil
		}}
	fl := c.Flags()
	fl.StringVar(&q.As, "as", "", "who decides: user:EMAIL")
	fl.StringArrayVar(&q.Groups, "group", nil, "a group of theirs; repeat for more")
	fl.StringVar(&q.Reason, "reason", "", "why; the agent is told")
	if approve {
		fl.StringVar(&q.ShapeFor, "shape-for", "", "approve its shape as well, for so long: 10m (where policy has shape_for)")
		fl.BoolVar(&q.ShapePool, "shape-pool", false, "with --shape-for: for all connections of the same credential, not only this session")
	}
	fl.StringVar(&q.Digest, "digest", "", "decide only if the hold is still for this digest (see show)")
	return c
}

func newApprovalsWatch(f *flags) *cobra.Command {
	return &cobra.Command{Use: "watch", Short: "Print holds as they come and change, until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			err = cl.events(ctx, "/v1/approvals/watch", nil, func(_ string, data []byte) error {
				if f.json {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", data)
					return err
				}
				var h hold.Hold
				if err := json.Unmarshal(data, &h); err != nil {
					return err
				}
				printWatched(c.OutOrStdout(), h, time.Now())
				return nil
			})
			if ctx.Err() != nil {
				return nil // Ctrl-C is how it ends
			}
			return err
		}}
}
