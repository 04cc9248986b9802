package http

import (
	"strings"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/kube"
)

// kubernetes is the protocol of targets whose requests are calls to an API server.
const kubernetes = "kubernetes"

// maxObject is how many bytes an API server takes in one request.
const maxObject = 3 << 20

// understandCall reads the request as the API server will. What that may read in another way is refused.
func (s *stream) understandCall() *problem {
	refused := func(why string) *problem {
		return &problem{Status: 400, Code: "undecodable", Rule: "kube.decode", Detail: why, status: "blocked"}
	}
	for _, f := range []string{"dot_segments", "merged_slashes", action.FeatureEncodedSlash, action.FeatureAmbiguous, action.FeatureMethodOverride, action.FeatureUpgrade} {
		if s.req.Features[f] != nil {
			return refused("The request is not in plain form (" + f + ").")
		}
	}
	for _, f := range s.fields {
		switch {
		case strings.HasPrefix(f.Name, "x-remote-"), f.Name == "sec-websocket-protocol", f.Name == "content-encoding":
			return refused("The header field " + f.Name + " does not pass this gateway.")
		}
	}
	if path, _, _ := strings.Cut(s.head.Path(), "?"); path != s.req.Path {
		return refused("The path is not in plain form.")
	}
	call, err := kube.ParseCall(s.req.Method, s.req.Path, s.req.RawQuery)
	if err != nil {
		return refused("It cannot be judged: " + err.Error() + ".")
	}
	s.call = call
	return nil
}

// callAction is the call as policy judges it, once the body is there.
func (s *stream) callAction() action.Action {
	a := s.call.Action(s.req.Method, s.req.Target(), s.fields.Get("content-type"), s.kept)
	if s.wantBody && !s.ended { // longer than what can be judged
		a.Features[action.FeatureUnparsed] = true
	}
	return a
}

// prepareCall asks for JSON, which can be masked, and lets no credential of the client's pass.
func (s *stream) prepareCall(h api.RequestHeaderMap) {
	if s.call == nil {
		return
	}
	h.Del("authorization")
	if s.call.Path != "" {
		return // discovery and health: there is nothing in it to mask
	}
	if s.call.Subresource != "log" && s.call.Subresource != "proxy" {
		h.Set("accept", jsonOnly(s.fields.Joined("accept"), !configured(s.d.Mask)))
	}
}

// jsonOnly is what of an Accept header asks for JSON; without any of it, JSON. Tables have columns that custom resources choose,
// in which no path finds a field.
func jsonOnly(accept string, tables bool) string {
	var keep []string
	for part := range strings.SplitSeq(accept, ",") {
		part = strings.TrimSpace(part)
		if name, _, _ := strings.Cut(part, ";"); strings.EqualFold(strings.TrimSpace(name), "application/json") &&
			(tables || !strings.Contains(strings.ToLower(part), "table")) {
			keep = append(keep, part)
		}
	}
	if len(keep) == 0 {
		return "application/json"
	}
	return strings.Join(keep, ",")
}

// answerOf is how a refusal is said: to clients of an API server as its own Status, which kubectl prints.
func (s *stream) answerOf(p *problem) (code int, body []byte, fields map[string][]string) {
	if s.cfg.Target.Protocol != kubernetes || p.raw != nil {
		code, body = p.answer()
		return code, body, p.fields()
	}
	fields = p.fields()
	fields["content-type"] = []string{"application/json"}
	return p.Status, statusOf(p, s.call).JSON(), fields
}

// statusOf is the problem as an API server would say it.
func statusOf(p *problem, c *kube.Call) *kube.Status {
	words := "dragoman: " + p.Detail
	if p.Rule != "" {
		words += " (rule " + p.Rule + ")"
	}
	if p.Hint != "" {
		words += ": " + p.Hint
	}
	out := kube.Failed(p.Status, words)
	d := &kube.Details{}
	out.Details = d
	out.Tell(kube.CauseCode, p.Code)
	out.Tell(kube.CauseRule, p.Rule)
	out.Tell(kube.CauseHint, p.Hint)
	out.Tell(kube.CauseHold, p.Hold)
	out.Tell(kube.CauseURL, p.URL)
	out.Tell(kube.CauseInstance, p.Instance)
	if c != nil && c.Path == "" {
		d.Kind, d.Group, d.Name = c.Resource, c.Group, c.Name
	}
	if p.retry > 0 && p.Status != 403 {
		d.RetryAfterSeconds = p.retry
	}
	return out
}
