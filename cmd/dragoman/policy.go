package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/policy/policytest"
)

func newPolicy(f *flags) *cobra.Command {
	return group("policy", "Check and test a policy before it is pushed", newPolicyCheck(f), newPolicyTest(f), newPolicyBacktest(f), newPolicyStatus(f))
}

// policySource is the config's policy, or a folder of its own.
func (f *flags) policySource(args []string) (policy.Source, error) {
	if len(args) == 1 {
		return policy.Source{Dir: args[0]}, nil
	}
	cfg, err := f.load()
	if err != nil {
		return policy.Source{}, err
	}
	return cfg.Policy.Source(), nil
}

func newPolicyCheck(f *flags) *cobra.Command {
	return &cobra.Command{Use: "check [FOLDER]", Short: "Compile the policy and say what is wrong, with file and line", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			src, err := f.policySource(args)
			if err != nil {
				return err
			}
			problems := []policy.Problem{}
			bundle, err := src.Bundle()
			if err == nil {
				problems = append(problems, policy.Check(bundle)...)
			} else if found := policy.Problems(err); len(found) > 0 {
				problems = found
			} else {
				return err
			}
			w := c.OutOrStdout()
			if f.json {
				err = printJSON(w, map[string]any{"revision": bundle.Revision, "problems": problems})
			} else {
				for _, p := range problems {
					fmt.Fprintln(w, p.Error())
				}
				if len(problems) == 0 {
					fmt.Fprintln(w, "good; revision", bundle.Revision)
				}
			}
			if err == nil && len(problems) > 0 {
				err = &exitError{code: exitFailure}
			}
			return err
		}}
}

func newPolicyTest(f *flags) *cobra.Command {
	return &cobra.Command{Use: "test [FOLDER]", Short: "Run the policy folder's tests: *_test.rego and tests.yaml", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			src, err := f.policySource(args)
			if err != nil {
				return err
			}
			results, err := policytest.Test(c.Context(), src)
			if err != nil {
				return err
			}
			failed := 0
			for _, r := range results {
				if !r.Pass {
					failed++
				}
			}
			w := c.OutOrStdout()
			if f.json {
				if results == nil {
					results = []policytest.Result{}
				}
				err = printJSON(w, map[string]any{"results": results, "failed": failed})
			} else {
				for _, r := range results {
					if !r.Pass {
						fmt.Fprintf(w, "FAIL %s:%d %s: %s\n%s", r.File, r.Line, r.Name, r.Message, r.Output)
					}
				}
				fmt.Fprintf(w, "%d tests, %d failed\n", len(results), failed)
			}
			if err == nil && failed > 0 {
				err = &exitError{code: exitFailure}
			}
			return err
		}}
}

func newPolicyStatus(f *flags) *cobra.Command {
	return &cobra.Command{Use: "status", Short: "Show the policy in force, and whether its source is good", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := f.client()
			if err != nil {
				return err
			}
			var s statusDoc
			if err := cl.get(c.Context(), "/v1/status", nil, &s); err != nil {
				return err
			}
			w := c.OutOrStdout()
			if f.json {
				return printJSON(w, s.Policy)
			}
			field(w, "in force", s.Policy.Revision)
			field(w, "since", clock(s.Policy.Since))
			if s.Policy.Error != "" {
				fmt.Fprintf(w, "the source is broken since %s, so it is not in force:\n%s\n", clock(s.Policy.ErrorAt), s.Policy.Error)
			}
			return nil
		}}
}
