package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/filters/http/request"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/backtest"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/trial"
	"dragoman.dev/dragoman/web/api"
	"dragoman.dev/dragoman/web/page"
)

// console is what the page shows beside what the API has.
type console struct{ up *up }

func (c *control) pushesFile() string { return filepath.Join(c.cfg.Data, "policy-pushes.jsonl") }

// keepPush writes the policy's history. Without it the policy is in force all the same.
func (c *control) keepPush(revision string) {
	files, err := c.cfg.Policy.Source().Files()
	if err == nil {
		err = c.pushes.Add(revision, c.cfg.Policy.Dir, files)
	}
	if err != nil {
		c.log.Error("a push of policy is not in its history", "revision", revision, "err", err)
	}
}

// Policy implements page.Console.
func (p console) Policy(context.Context) (page.PolicyState, error) {
	c := p.up.control
	st := c.policy.Status()
	out := page.PolicyState{Revision: st.Revision, Since: st.Since, Error: st.Error, ErrorAt: st.ErrorAt, Pushes: c.pushes.List()}
	src := c.cfg.Policy.Source()
	if files, err := src.Files(); err == nil {
		out.Files = files
	}
	if b, err := src.Bundle(); err == nil {
		out.Fresh = b.Revision == st.Revision
		doc, err := dragomanOf(b)
		if err != nil {
			return out, err
		}
		out.Rules, out.Masks = len(doc.Rules), len(doc.Masks)
	}
	return out, nil
}

// dragomanDoc is what the loader makes of YAML rules.
type dragomanDoc struct {
	Rules   []json.RawMessage          `json:"rules"`
	Masks   []json.RawMessage          `json:"masks"`
	ByGroup map[string]json.RawMessage `json:"by_group"`
}

func dragomanOf(b policy.Bundle) (doc dragomanDoc, err error) {
	raw, err := json.Marshal(b.Data["dragoman"])
	if err == nil {
		err = json.Unmarshal(raw, &doc)
	}
	return doc, err
}

// tokenRows is how many identities with tokens the matrix has beside the groups.
const tokenRows = 20

// Matrix implements page.Console: a row for each group that rules name, one for nobody's, and some for identities with tokens.
func (p console) Matrix(ctx context.Context, schema, name string) (trial.Matrix, error) {
	c := p.up.control
	var who []trial.Who
	if b, err := c.cfg.Policy.Source().Bundle(); err == nil {
		doc, err := dragomanOf(b)
		if err != nil {
			return trial.Matrix{}, err
		}
		for _, g := range slices.Sorted(maps.Keys(doc.ByGroup)) {
			id := identity.New("user:somebody")
			id.Groups = []string{g}
			who = append(who, trial.Who{Name: "group " + g, Identity: id})
		}
	}
	who = append(who, trial.Who{Name: "in no group", Identity: identity.New("user:somebody")})
	list, err := c.tokens.List(ctx, false, 10*tokenRows)
	if err != nil {
		return trial.Matrix{}, err
	}
	seen := map[string]bool{}
	for _, t := range list {
		n := t.Identity.Chain() + " (" + strings.Join(t.Identity.Groups, ", ") + ")"
		if t.Revoked == nil && !seen[n] && len(seen) < tokenRows {
			seen[n] = true
			who = append(who, trial.Who{Name: n, Identity: t.Identity})
		}
	}
	targets := make([]policy.Target, len(c.cfg.Targets))
	for i := range c.cfg.Targets {
		targets[i] = c.cfg.Targets[i].Policy()
	}
	return trial.Ask(ctx, c.engine.Engine(), who, targets, schema, name, time.Now()), nil
}

// engineOf compiles the policy with a change.
func (p console) engineOf(ctx context.Context, change page.Change) (*policy.Engine, error) {
	src := p.up.control.cfg.Policy.Source()
	src.Draft = map[string]string{change.File: change.Text}
	return compile(ctx, src)
}

// Try implements page.Console.
func (p console) Try(ctx context.Context, id identity.Identity, target, text string, change page.Change) ([]trial.Step, error) {
	c := p.up.control
	t := c.cfg.Target(target)
	if t == nil {
		return nil, fmt.Errorf("%w: no target %q", api.ErrInvalid, target)
	}
	engine := c.engine.Engine()
	if change.File != "" {
		var err error
		if engine, err = p.engineOf(ctx, change); err != nil {
			return nil, err
		}
	}
	r := trial.Request{Engine: engine, Identity: id, Target: t.Policy(), Text: text, HTTP: tried, Now: time.Now()}
	if d := t.Credentials.Database; d.Plain() {
		r.Database = string(d)
	}
	return trial.Run(ctx, r)
}

// tried reads a request as our filter does.
func tried(method, target, body string) (action.Action, error) {
	list := header.List{{Name: "content-type", Value: "application/json"}}
	req, err := request.Parse(request.Head{Method: method, Scheme: "http", Authority: "target", Path: target, Headers: list}, request.Limits{})
	if err != nil {
		return action.Action{}, err
	}
	var of *request.Body
	if body != "" {
		of = request.ReadCodedBody("application/json", "", []byte(body), request.Limits{})
	}
	return req.Action(of), nil
}

// Backtest implements page.Console.
func (p console) Backtest(ctx context.Context, change page.Change, since time.Time, progress func(backtest.Progress)) (rep *backtest.Report, err error) {
	c := p.up.control
	opt := backtest.Options{Dir: c.cfg.AuditDir(), Since: since, Workers: 1, Progress: progress}
	if opt.Engine, err = p.engineOf(ctx, change); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.log.Error("a backtest of the page failed", "file", change.File, "err", err)
		}
	}()
	bucket, done, err := openBucket(ctx, c.cfg)
	if err != nil {
		return nil, err
	}
	var bodies blob.Store = blob.NewFiles(opt.Dir)
	if bucket != nil {
		defer func() { _ = done() }()
		bodies, opt.Bodies = bucket, bucket
	}
	ring, err := keyringFor(ctx, c.cfg, nil)
	if err != nil {
		return nil, err
	}
	archive := audit.NewArchive(bodies, ring)
	opt.Open = func(name string) (backtest.Record, error) { return archive.Open(ctx, name) }
	return backtest.Run(ctx, opt)
}

// Nodes implements page.Console.
func (p console) Nodes() (out []page.NodeState) {
	now := time.Now()
	for _, n := range p.up.control.xds.Nodes() {
		one := page.NodeState{Name: n.Name, Connected: n.Connected, Since: n.Since, Version: n.Wanted, Policy: n.PolicyWanted, InSync: n.InSync}
		until := now
		if n.InSync {
			until = n.WantedSince
		}
		for _, t := range n.Types {
			if n.InSync && t.At.After(until) {
				until = t.At
			}
			if t.Nack != "" {
				one.Refused = append(one.Refused, t.Type+": "+t.Nack)
			}
		}
		one.Lag = until.Sub(n.WantedSince)
		out = append(out, one)
	}
	return out
}

// Live implements page.Console.
func (p console) Live() (out []page.LiveSession) {
	for _, l := range p.up.control.sessions.List() {
		out = append(out, page.LiveSession{ID: l.Session.ID, Target: l.Target.Name, Node: l.Node, Identity: l.Identity, Started: l.Session.Started})
	}
	return out
}

var _ page.Console = console{}
