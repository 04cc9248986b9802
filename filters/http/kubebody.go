package http

import (
	nethttp "net/http"
	"strconv"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/kubebody"
)

// Bodies that are not JSON become JSON before they are judged, so that what is judged, held, masked, recorded and
// sent is one document. Envoy is given none of such a body until it is whole.

// recodes reports whether the request's body becomes another. What goes on to a pod, node or service does not.
func (s *stream) recodes() bool {
	if s.cfg.Target.Protocol != kubernetes || s.ended || !kubebody.Other(s.fields.Get("content-type")) {
		return false
	}
	path, query := s.head.Path(), ""
	for i := range len(path) {
		if path[i] == '?' {
			path, query = path[:i], path[i+1:]
			break
		}
	}
	c, err := kube.ParseCall(s.head.Method(), path, query)
	return err == nil && c.Path == "" && c.Verb != "proxy" && c.Subresource != "proxy" // what is no call is refused
}

// drain keeps a piece of such a body from moving; s.kept has it.
func (s *stream) drain(b api.BufferInstance) {
	if s.recoded {
		b.Reset()
		s.piece = b
	}
}

// recode makes JSON of the whole body and gives it to Envoy in the place of what was there. What it cannot be made of is
// refused, whatever policy says.
func (s *stream) recode() *problem {
	if !s.recoded {
		return nil
	}
	no := func(status int, detail, hint string) *problem {
		return &problem{Status: status, Code: "undecodable", Rule: "kube.decode", Detail: detail, Hint: hint, status: "blocked"}
	}
	switch {
	case len(s.kept) > s.cfg.JudgedBody:
		return no(nethttp.StatusRequestEntityTooLarge, "The body is longer than what is judged.", "")
	case s.trailers != nil:
		return no(nethttp.StatusBadRequest, "Requests to an API server have no trailers.", "")
	}
	out, kind, err := kubebody.JSON(s.fields.Get("content-type"), s.kept)
	if err != nil {
		return no(nethttp.StatusUnsupportedMediaType, "The body cannot be judged: "+err.Error()+".",
			"Send JSON (client-go: rest.Config.ContentType application/json; kubectl: apply -f, or create -f).")
	}
	s.recoded, s.kept = false, out
	s.become("content-type", kind)
	s.become("content-length", strconv.Itoa(len(out)))
	if s.piece != nil { // within its callback
		_ = s.piece.Set(out)
		return nil
	}
	s.host.DecoderFilterCallbacks().AddData(out, false)
	return nil
}

// become gives the request another field in the place of one, if it has that.
func (s *stream) become(name, value string) {
	now := make(header.List, len(s.fields))
	for i, f := range s.fields {
		if now[i] = f; f.Name == name {
			now[i].Value = value
			s.head.Set(name, value)
		}
	}
	s.fields = now
}
