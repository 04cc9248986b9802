package policytest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/sql"
)

// casesFile holds a list of cases.
const casesFile = "tests.yaml"

// testCase is one entry of tests.yaml; its input is as in docs/policy.md.
type testCase struct {
	Name     string            `json:"name"`
	Identity identity.Identity `json:"identity"`
	Target   policy.Target     `json:"target"`
	Session  policy.Session    `json:"session"`
	Action   action.Action     `json:"action"`
	Verdict  string            `json:"verdict"`
	Rule     string            `json:"rule"`  // "" takes any
	Masks    *[]string         `json:"masks"` // names of the masks in force; nil takes any
}

func runCases(ctx context.Context, dir fs.FS, e *policy.Engine) ([]Result, error) {
	body, err := readFile(dir, casesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(body, &doc); err != nil {
		return nil, &policy.Problem{File: casesFile, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.SequenceNode {
		return nil, &policy.Problem{File: casesFile, Line: 1, Message: "it must be a list of cases"}
	}
	var out []Result
	for i, node := range doc.Content[0].Content {
		c, err := decodeCase(node)
		if err != nil {
			return nil, &policy.Problem{File: casesFile, Line: node.Line, Message: fmt.Sprintf("case %d: %v", i+1, err)}
		}
		begin := time.Now()
		msg := c.run(ctx, e)
		out = append(out, Result{File: casesFile, Line: node.Line, Name: c.Name, Pass: msg == "", Message: msg,
			Duration: time.Since(begin)})
	}
	return out, nil
}

// decodeCase goes by way of JSON, whose names the input has; unknown ones are errors.
func decodeCase(node *yaml.Node) (*testCase, error) {
	var plain map[string]any
	if err := node.Decode(&plain); err != nil {
		return nil, err
	}
	body, err := json.Marshal(plain)
	if err != nil {
		return nil, err
	}
	c := &testCase{}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if c.Name == "" {
		return nil, errors.New("a case needs a name")
	}
	if v := c.Verdict; v != "allow" && v != "hold" && v != "block" {
		return nil, fmt.Errorf("verdict %q is not one of allow, hold, block", v)
	}
	if len(c.Identity.Actors) == 0 && c.Identity.Subject != "" {
		c.Identity.Actors = []string{c.Identity.Subject}
	}
	if c.Action.Kind == "" {
		c.Action.Kind = action.KindSQL
	}
	return c, nil
}

// run judges the case and says what is not as expected, or "". What masks
// ask of a statement's lineage is not part of a case.
func (c *testCase) run(ctx context.Context, e *policy.Engine) string {
	in := &policy.Input{Version: policy.InputVersion, Identity: c.Identity, Target: c.Target, Session: c.Session, Action: c.Action}
	d := e.Judge(ctx, in, &sql.Statement{Action: c.Action})
	if d.Verdict.String() != c.Verdict || c.Rule != "" && d.Rule != c.Rule {
		want := c.Verdict
		if c.Rule != "" {
			want += " by " + c.Rule
		}
		return fmt.Sprintf("%s by %s (%s), want %s", d.Verdict, d.Rule, d.Reason, want)
	}
	if c.Masks == nil {
		return ""
	}
	names := []string{}
	for _, m := range d.Mask {
		names = append(names, m.Name)
	}
	if !slices.Equal(names, *c.Masks) {
		return fmt.Sprintf("masks %v, want %v", names, *c.Masks)
	}
	return ""
}
