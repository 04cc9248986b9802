package page

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/policy/pushes"
	"dragoman.dev/dragoman/internal/trial"
	"dragoman.dev/dragoman/web/api"
)

const (
	matrixTime  = 5 * time.Second
	pushesShown = 50
	// maxDraft bounds a file's text in a form, in bytes.
	maxDraft = 512 << 10
)

type policyData struct {
	State   PolicyState
	Files   []string
	Nodes   []NodeState
	Matrix  trial.Matrix
	Pushes  []pushes.Push
	Targets []TargetState
	Jobs    []job
	Form    tryForm
	Steps   []trial.Step
	Problem string
}

// tryForm is what somebody wants to try.
type tryForm struct {
	Subject, Behalf, Groups, Target, Text string
	Change                                Change
}

// object is what the matrix is about: SCHEMA.NAME.
func object(r *http.Request) (schema, name string) {
	text := strings.TrimSpace(r.FormValue("object"))
	if text == "" || len(text) > 200 {
		text = "public.orders"
	}
	if i := strings.IndexByte(text, '.'); i >= 0 {
		return text[:i], text[i+1:]
	}
	return "", text
}

func (s *server) policyPage(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	return s.showPolicy(w, r, policyData{})
}

func (s *server) showPolicy(w http.ResponseWriter, r *http.Request, d policyData) error {
	var err error
	if d.State, err = s.console.Policy(r.Context()); err != nil {
		return err
	}
	d.Files = slices.Sorted(maps.Keys(d.State.Files))
	d.Nodes, d.Targets, d.Jobs = s.console.Nodes(), s.console.Targets(r.Context()), s.jobs.list()
	d.Pushes = d.State.Pushes[:min(len(d.State.Pushes), pushesShown)]
	ctx, cancel := context.WithTimeout(r.Context(), matrixTime)
	defer cancel()
	schema, name := object(r)
	if d.Matrix, err = s.console.Matrix(ctx, schema, name); err != nil {
		return err
	}
	status := http.StatusOK
	if d.Problem != "" {
		status = http.StatusBadRequest
	}
	s.show(w, r, status, "policy", d)
	return nil
}

// try judges what the form says, and shows it on the policy's page.
func (s *server) try(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	f := tryForm{Subject: strings.TrimSpace(r.PostFormValue("subject")), Behalf: strings.TrimSpace(r.PostFormValue("on_behalf_of")),
		Groups: r.PostFormValue("groups"), Target: r.PostFormValue("target"), Text: lines(r.PostFormValue("text"))}
	d := policyData{Form: f}
	id, err := someone(f)
	if err == nil {
		f.Change, err = s.change(r)
		d.Form.Change = f.Change
	}
	if err == nil {
		d.Steps, err = s.console.Try(r.Context(), id, f.Target, f.Text, f.Change)
	}
	if err != nil {
		if d.Problem = problem(err); d.Problem == "" {
			return err
		}
	}
	return s.showPolicy(w, r, d)
}

// problem is what is wrong with a form, "" when that is not what went wrong.
func problem(err error) string {
	var located *policy.Problem
	if errors.Is(err, api.ErrInvalid) || errors.Is(err, trial.ErrText) || errors.As(err, &located) {
		return err.Error()
	}
	return ""
}

// lines takes a form's line ends back.
func lines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// someone is the identity that a form describes. Nothing proves it: it is tried with only.
func someone(f tryForm) (identity.Identity, error) {
	if f.Subject == "" {
		return identity.Identity{}, fmt.Errorf("%w: say whose verdict it is: user:alice@example.com", api.ErrInvalid)
	}
	chain := []string{f.Subject}
	if f.Behalf != "" {
		chain = []string{f.Behalf, f.Subject}
	}
	id := identity.New(chain...)
	id.Groups = append(id.Groups, strings.FieldsFunc(f.Groups, func(r rune) bool { return r == ',' || r == ' ' })...)
	id.Method, id.Issuer = identity.MethodLocal, "trial"
	if err := id.Validate(); err != nil {
		return id, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return id, nil
}

// change is the file that a form changes, none when its text is what the folder has.
func (s *server) change(r *http.Request) (Change, error) {
	c := Change{File: r.PostFormValue("file"), Text: lines(r.PostFormValue("draft"))}
	if c.File == "" || c.Text == "" {
		return Change{}, nil
	}
	if !fs.ValidPath(c.File) || len(c.File) > 200 || c.File == "." {
		return c, fmt.Errorf("%w: %q is not the path of a file in the policy folder", api.ErrInvalid, c.File)
	}
	if len(c.Text) > maxDraft {
		return c, fmt.Errorf("%w: the draft has more than %d bytes", api.ErrInvalid, maxDraft)
	}
	return c, nil
}

// startBacktest begins to judge what was recorded with a change. That reads records, and is recorded as such.
func (s *server) startBacktest(w http.ResponseWriter, r *http.Request, c api.Caller) error {
	change, err := s.change(r)
	if err != nil {
		return err
	}
	if change.File == "" {
		return s.showPolicy(w, r, policyData{Problem: "Say what would change: a file and its text."})
	}
	days := map[string]int{"1": 1, "7": 7, "30": 30}[r.PostFormValue("days")]
	if days == 0 {
		return fmt.Errorf("%w: days is 1, 7 or 30", api.ErrInvalid)
	}
	since := time.Now().AddDate(0, 0, -days)
	if err := s.RecordReadOf(r, c, access.Backtest, fmt.Sprintf("backtest of a change of %s since %s", change.File, since.UTC().Format(time.RFC3339))); err != nil {
		return err
	}
	id, err := s.jobs.start(s.console, c.Identity.Chain(), change, since)
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/policy/backtests/"+url.PathEscape(id), http.StatusSeeOther)
	return nil
}

// backtest shows one.
func (s *server) backtest(w http.ResponseWriter, r *http.Request, _ api.Caller) error {
	j, ok := s.jobs.get(r.PathValue("id"))
	if !ok {
		return fmt.Errorf("%w: there is no such backtest; results are kept until the control plane restarts", api.ErrNotFound)
	}
	if r.URL.Query().Get("part") != "" {
		return s.part(w, r, "backtest", j)
	}
	s.show(w, r, http.StatusOK, "backtest", j)
	return nil
}
