package http

import (
	"strings"

	"dragoman.dev/dragoman/internal/kube"
)

// notHere refuses what must not reach an API server through this filter: streams, which are the bridge's whatever
// way they are written in, and headers by which the agent would choose whom it acts as.
func (s *stream) notHere() *problem {
	if kube.IsStream(s.req.Path) || kube.IsStream(s.req.Target()) {
		return &problem{Status: 403, Code: "stream", Rule: "kube.stream", status: "blocked", Detail: "exec, attach and port-forward are served as upgraded requests only, with plain paths.",
			Hint: "Use kubectl 1.31 or newer, or a client that speaks WebSocket."}
	}
	for _, f := range s.fields {
		if strings.HasPrefix(strings.ToLower(f.Name), "impersonate-") {
			return &problem{Status: 403, Code: "impersonation", Rule: "kube.impersonation", status: "blocked", Detail: "Whom a request acts as is the gateway's to say."}
		}
	}
	return nil
}
