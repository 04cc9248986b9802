package http

import (
	"crypto/sha256"
	nethttp "net/http"
	"slices"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
)

// Credentials that policy lets an agent have in clear are kept by the record as keyed hashes: whoever may read records
// need not thereby be able to log in, and that two of them are the same can still be seen.

var (
	recordedSecrets = []mask.Spec{
		{Name: "kube-record", Way: mask.WayHash, JSON: []string{"$..data.*", "$..stringData.*", "$[*].value"}},
		{Name: "kube-record", Way: mask.WayEmpty, JSON: []string{`$..annotations["kubectl.kubernetes.io/last-applied-configuration"]`}},
		{Name: "kube-record", Way: mask.WayNull, JSON: []string{"$..managedFields"}},
	}
	recordedTokens = []mask.Spec{{Name: "kube-record", Way: mask.WayHash, JSON: []string{"$..token"}}}
)

// recordOnly are masks of the record's copies beyond those that the agent gets its answer by.
func (s *stream) recordOnly() []mask.Spec {
	if s.call == nil || s.call.Path != "" {
		return nil
	}
	switch {
	case s.call.Group == "" && s.call.Resource == "secrets" && !builtIn(s.d.Mask, policy.BuiltinKubeSecrets, "$..data.*"):
		return recordedSecrets
	case (s.call.Kind() == "serviceaccounts/token" || s.call.Kind() == "tokenreviews.authentication.k8s.io") && !builtIn(s.d.Mask, policy.BuiltinKubeTokens, "$..token"):
		return recordedTokens
	}
	return nil
}

// builtIn reports whether a mask of the policy's own library is in force.
func builtIn(specs []mask.Spec, name, path string) bool {
	return slices.ContainsFunc(specs, func(m mask.Spec) bool { return m.Name == name && slices.Contains(m.JSON, path) })
}

// recordPlan is what the record's copy of the request's body is masked by.
func (s *stream) recordPlan() (*mask.Plan, error) {
	more := s.recordOnly()
	if len(more) == 0 {
		return s.plan, nil
	}
	return s.t.plans.Get(append(slices.Clip(s.d.Mask), more...), s.sh.span.Opened().MaskKey)
}

// recordAnswer makes the record's copy of the response's body go through its own masks. They come after the agent's, of whose
// output they are. Of a body that cannot be masked the record has length and digest.
func (s *stream) recordAnswer(list header.List) {
	more := s.recordOnly()
	if len(more) == 0 {
		return
	}
	if s.code == nethttp.StatusUnprocessableEntity {
		more = append(slices.Clip(more), quotedWords)
	}
	s.down.sum = sha256.New()
	plan, err := s.t.plans.Get(more, s.sh.span.Opened().MaskKey)
	if err == nil {
		s.down.through, err = content.New(content.Head{Method: s.req.Method, Status: s.code, Type: list.Joined("content-type"),
			Encoding: list.Joined("content-encoding")}, plan, content.Limits{})
	}
	if err != nil {
		s.down.through, s.down.cut = nil, true
	}
}
