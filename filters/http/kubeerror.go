package http

import (
	nethttp "net/http"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/mask"
)

// An API server that refuses a change for what is in it quotes both the old and the new object in its words, as Go
// syntax: no path finds a masked field there. So the words go; the fields that are wrong, and why, stay.

var quotedWords = mask.Spec{Name: "kube-errors", JSON: []string{"$.message", "$.details.causes[*].message"}}

// quoting are the resources whose objects have what masks may name in specs that are quoted.
var quoting = []string{"pods", "podtemplates", "replicationcontrollers", "deployments", "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs", "secrets"}

// responsePlan is what the answer is masked by.
func (s *stream) responsePlan() (*mask.Plan, error) {
	if s.call == nil || !s.plan.HasJSON() {
		return s.plan, nil
	}
	more := slices.Clip(s.d.Mask)
	if s.code == nethttp.StatusUnprocessableEntity && quotes(s.call) {
		more = append(more, quotedWords)
	}
	if s.call.DryRun && (s.call.Verb == "update" || s.call.Verb == "patch") {
		more = append(more, dryRunTells)
	}
	if len(more) == len(s.d.Mask) {
		return s.plan, nil
	}
	return s.t.plans.Get(more, s.sh.span.Opened().MaskKey)
}

// quotes reports whether the object may have masked fields: workloads, secrets, and what is not of Kubernetes itself.
func quotes(c *kube.Call) bool {
	builtin := c.Group == "" || !strings.Contains(c.Group, ".") || strings.HasSuffix(c.Group, ".k8s.io")
	return !builtin || slices.Contains(quoting, c.Resource)
}
