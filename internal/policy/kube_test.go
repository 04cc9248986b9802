package policy

import (
	"context"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/identity"
	"dragoman.dev/dragoman/internal/kube"
)

const kubeRules = `
- {name: look, verdict: allow, when: {groups: [devs], verbs: [get, list, watch], resources: [pods, pods/log, secrets, deployments.apps], namespaces: [dev]}}
- {name: write, verdict: allow, when: {groups: [devs], verbs: [create, update, patch, delete], resources: [pods, deployments.apps], namespaces: [dev, prod]}}
- {name: prod, verdict: hold, when: {groups: [devs], verbs: [delete, deletecollection, patch], namespaces: [prod]}, approvers: [sre]}
- {name: no-list, verdict: block, when: {verbs: [list], resources: [configmaps], names: [secret-plan]}}
- {name: maps, verdict: allow, when: {groups: [devs], verbs: [get, list], resources: [configmaps]}}
- {name: one, verdict: allow, when: {groups: [devs], verbs: [get, list], resources: [jobs.batch], names: ["web-*"]}}
- {name: metrics, verdict: allow, when: {groups: [devs], urls: [/metrics]}}
- {name: tokens, verdict: allow, when: {groups: [devs], verbs: [get], resources: [serviceaccounts/token]}}
- {name: nodes, verdict: allow, when: {groups: [devs], verbs: [get, list], resources: [nodes]}}
`

func kubeEngine(t *testing.T, off ...string) *Engine {
	t.Helper()
	l := loader{modules: map[string]string{}, data: map[string]any{}}
	l.readRules("rules.yaml", []byte(kubeRules))
	if len(l.problems) > 0 {
		t.Fatal(l.problems)
	}
	b, err := Source{Rules: l.rules, Off: off}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	e, err := Compile(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestKubeRules(t *testing.T) {
	e := kubeEngine(t)
	for _, c := range []struct{ call, body, want string }{
		{"GET /api/v1/namespaces/dev/pods", "", "allow look"},
		{"GET /api/v1/namespaces/dev/pods/web/log", "", "allow look"},
		{"GET /api/v1/namespaces/dev/secrets/db", "", "allow look"},
		{"GET /apis/apps/v1/namespaces/dev/deployments?watch=1", "", "allow look"},
		{"GET /apis/apps/v1/namespaces/dev/deployments/web/scale", "", "block default"},
		{"GET /api/v1/pods", "", "block default"},
		{"GET /api/v1/namespaces/prod/pods", "", "block default"},
		{"GET /apis/other.io/v1/namespaces/dev/pods", "", "block default"},
		{"GET /api/v1/nodes/n1", "", "allow nodes"},
		{"GET /api/v1/nodes/n1/proxy/pods", "", "block default"},
		{"DELETE /api/v1/namespaces/dev/pods/web", "", "allow write"},
		{"DELETE /api/v1/namespaces/prod/pods/web", "", "hold prod"},
		{"DELETE /api/v1/namespaces/dev/pods", "", "block default"},
		{"POST /api/v1/namespaces/dev/pods", `{"spec":{"hostPID":true}}`, "block default"},
		{"POST /api/v1/namespaces/dev/pods", `{"spec":{"containers":[{"image":"a"}]}}`, "allow write"},
		{"POST /api/v1/namespaces/dev/pods", `{"spec":{"containers":[{"env":[{"name":"A","value":"[redacted]"}]}]}}`, "block default"},
		{"POST /api/v1/namespaces/dev/pods", `{"a":1,"a":2}`, "block default"},
		{"GET /api/v1/namespaces/dev/configmaps/x", "", "allow maps"},
		{"GET /api/v1/namespaces/dev/configmaps", "", "block no-list"},
		{"GET /apis/batch/v1/namespaces/dev/jobs/web-1", "", "allow one"},
		{"GET /apis/batch/v1/namespaces/dev/jobs", "", "block default"},
		{"GET /metrics", "", "allow metrics"}, {"GET /metrics/slis", "", "block default"}, {"GET /logs", "", "block default"},
		{"GET /apis/apps/v1", "", "allow kube"}, {"GET /version", "", "allow kube"}, {"POST /version", "", "block default"},
		{"POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "{}", "allow kube"},
		{"POST /apis/authorization.k8s.io/v1/subjectaccessreviews", "{}", "block default"},
	} {
		method, target, _ := strings.Cut(c.call, " ")
		path, query, _ := strings.Cut(target, "?")
		call, err := kube.ParseCall(method, path, query)
		if err != nil {
			t.Fatal(c.call, err)
		}
		d := e.Judge(context.Background(), &Input{Identity: identity.Identity{Subject: "agent:a", Actors: []string{"agent:a"}, Groups: []string{"devs"}},
			Target: Target{Name: "c", Protocol: "kubernetes"}, Action: call.Action(method, target, "application/json", []byte(c.body))}, nil)
		if got := d.Verdict.String() + " " + d.Rule; got != c.want {
			t.Errorf("%s %s: %s (%s), want %s", c.call, c.body, got, d.Reason, c.want)
		}
	}
}

// TestKubeMasks: secrets and environment variables are masked without anybody asking for it.
func TestKubeMasks(t *testing.T) {
	for _, c := range []struct {
		path string
		off  []string
		want string
	}{
		{"/api/v1/namespaces/dev/secrets/db", nil, "kube-last-applied kube-secrets kube-secrets kube-env"},
		{"/api/v1/namespaces/dev/pods", nil, "kube-last-applied kube-env"},
		{"/api/v1/namespaces/dev/pods", []string{"kube-env"}, "kube-last-applied"},
		{"/api/v1/namespaces/dev/pods", []string{"kube-env", "kube-secrets"}, ""},
		{"/metrics", nil, ""},
		{"/api/v1/namespaces/dev/serviceaccounts/x/token", []string{"kube-env", "kube-secrets"}, "kube-tokens"},
		{"/api/v1/namespaces/dev/serviceaccounts/x/token", []string{"kube-env", "kube-secrets", "kube-tokens"}, ""},
	} {
		call, err := kube.ParseCall("GET", c.path, "")
		if err != nil {
			t.Fatal(err)
		}
		d := kubeEngine(t, c.off...).Judge(context.Background(), &Input{Identity: identity.Identity{Subject: "a", Actors: []string{"a"}, Groups: []string{"devs"}},
			Action: call.Action("GET", c.path, "", nil)}, nil)
		var names []string
		for _, m := range d.Mask {
			names = append(names, m.Name)
		}
		if got := strings.Join(names, " "); got != c.want || !slices.Contains([]string{"allow"}, d.Verdict.String()) {
			t.Errorf("%s %v: %q %s %s", c.path, c.off, got, d.Verdict, d.Reason)
		}
	}
}

// TestKubeMaskResources: a mask of resources is for them, and for their subresources.
func TestKubeMaskResources(t *testing.T) {
	l := loader{modules: map[string]string{}, data: map[string]any{}}
	l.readRules("rules.yaml", []byte("rules: [{name: all, verdict: allow, when: {groups: [devs]}}]\n"+
		"masks: [{name: notes, resources: [configmaps, \"deployments.*\"], json: [\"$..note\"]}]\n"))
	if len(l.problems) > 0 {
		t.Fatal(l.problems)
	}
	b, err := Source{Rules: l.rules, Masks: l.masks, Off: []string{"kube-secrets", "kube-env"}}.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	e, err := Compile(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/api/v1/namespaces/dev/configmaps": true, "/apis/apps/v1/namespaces/dev/deployments/web/status": true,
		"/api/v1/namespaces/dev/pods": false, "/version": false} {
		call, err := kube.ParseCall("GET", path, "")
		if err != nil {
			t.Fatal(err)
		}
		d := e.Judge(context.Background(), &Input{Identity: identity.Identity{Subject: "a", Actors: []string{"a"}, Groups: []string{"devs"}}, Action: call.Action("GET", path, "", nil)}, nil)
		names := []string{}
		for _, m := range d.Mask {
			names = append(names, m.Name)
		}
		// With a path that is masked goes what has the same values elsewhere in the object.
		all := []string{"notes", "kube-last-applied", "kube-managed-fields"}
		if want != slices.Equal(names, all) || !want && len(names) > 0 || d.Verdict != Allow {
			t.Errorf("%s: %v %v", path, d.Verdict, names)
		}
	}
}
