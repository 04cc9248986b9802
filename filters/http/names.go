package http

import (
	"slices"
	"strings"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters/http/binding"
	"dragoman.dev/dragoman/filters/http/header"
	"dragoman.dev/dragoman/internal/session"
)

// MCP sessions and events that can be resumed have names, by which a server knows who asks. Whoever learnt another's
// could go on in its place. So the agent gets names that are good in its own mouth only (package binding), and what it
// hands back is looked at before the server sees it.

// Names of an MCP session, and of the event after which a stream is resumed.
const (
	sessionField = "mcp-session-id"
	eventField   = "last-event-id"
)

// namesOf is what makes the names that the session's identity gets; without a key it gets none.
func (t *target) namesOf(span *session.Span) *binding.Binder {
	who := span.Opened().Identity
	b, err := binding.New(span.Opened().MaskKey, append([]string{span.Opened().Target.Name, who.Issuer, who.Subject}, who.Actors...)...)
	if err != nil {
		t.rt.Log().Error("names of MCP sessions and entity tags cannot be given out", "session", span.ID(), "error", err)
		return nil
	}
	return b
}

// named is what the request says of an MCP session, as the server knows it.
type named struct{ session, event string }

// takeNames reads the names of MCP, which must be the identity's own. Where a target has MCP at all, a session's name is
// looked at on every path: another one may lead to the same server.
func (s *stream) takeNames() *problem {
	if len(s.cfg.mcp) == 0 {
		return nil
	}
	ok := true
	if v := s.fields.Get(sessionField); s.fields.Count(sessionField) > 0 {
		s.named.session, ok = s.sh.names.Unbind(binding.Session, v)
	}
	if v := s.fields.Get(eventField); ok && v != "" && s.cfg.mcp[s.req.Path] {
		s.named.event, ok = s.sh.names.Unbind(binding.Event, v)
	}
	if ok {
		return nil
	}
	return &problem{Status: 404, Code: "unknown_session", Rule: "mcp.session", status: "blocked",
		Detail: "The MCP session, or the event to go on after, was not given to this identity.", Hint: "Begin a new session with initialize."}
}

// sendNames gives the server its own names.
func (s *stream) sendNames(h changer) {
	if s.named.session != "" {
		h.Set(sessionField, s.named.session)
	}
	if s.named.event != "" {
		h.Set(eventField, s.named.event)
	}
}

// dropNames takes from trailers what stands in the head only, where it was looked at.
func (s *stream) dropNames(t api.RequestTrailerMap) {
	if len(s.cfg.mcp) > 0 {
		t.Del(sessionField)
		t.Del(eventField)
	}
}

// giveNames puts into a response's head the name by which its client shall know the session. Several names are none.
func (s *stream) giveNames(h changer, list header.List) header.List {
	if len(s.cfg.mcp) == 0 || list.Count(sessionField) == 0 {
		return list
	}
	out := make(header.List, 0, len(list))
	for _, f := range list {
		if f.Name != sessionField {
			out = append(out, f)
		}
	}
	id := list.Get(sessionField)
	h.Del(sessionField)
	if list.Count(sessionField) > 1 || id == "" || s.sh.names == nil {
		return out
	}
	if s.named.session == "" { // the conversation's begin
		s.named.session = id
	}
	bound := s.sh.names.Bind(binding.Session, id)
	h.Set(sessionField, bound)
	return append(out, header.Field{Name: sessionField, Value: bound})
}

// bindEvent is an event's id as its client gets it.
func (s *stream) bindEvent(id []byte) []byte {
	return []byte(s.sh.names.Bind(binding.Event, string(id)))
}

// Entity tags of what is masked go out sealed, and come back opened: one that is made of the bytes would tell whether a
// guess of a masked value is right, by itself or as a condition.

// place is where a tag is good.
func (s *stream) place() string { return s.req.Authority + " " + s.req.Target() }

// sealTags seals the entity tags of a head or trailers that a mask has been at; was is the same before that.
func (s *stream) sealTags(list, was header.List) header.List {
	return header.MapTags(list, was, func(tag string) string {
		switch s.req.Method {
		case "GET", "HEAD", "PUT", "PATCH", "DELETE":
			if s.rpc == nil {
				return s.sh.names.Seal(s.place(), tag)
			}
		}
		return "" // what was sent may be in what came, and a guess with it
	})
}

// conditional fields name entity tags; those of other services' making are not understood.
func conditional(name string) (known, any bool) {
	switch name {
	case "if-match", "if-none-match":
		return true, true
	}
	return false, name == "if" || strings.HasSuffix(name, "-if-match") || strings.HasSuffix(name, "-if-none-match")
}

func isConditional(f header.Field) bool {
	_, some := conditional(f.Name)
	return some
}

// conditions opens the tags that the request has, where what comes is masked. One that is not the gateway's own matches nothing.
func (s *stream) conditions() *problem {
	s.unsealed = nil
	if s.plan == nil || !s.plan.Content() || !slices.ContainsFunc(s.fields, isConditional) {
		return nil
	}
	out := make(header.List, 0, len(s.fields))
	done := map[string]bool{}
	for _, f := range s.fields {
		known, some := conditional(f.Name)
		switch {
		case !some:
			out = append(out, f)
			continue
		case !known:
			return unmatched("The request has a condition, " + f.Name + ", which cannot be kept where answers are masked.")
		case done[f.Name]:
			continue
		}
		done[f.Name] = true
		value, foreign := s.openTags(s.fields.Joined(f.Name))
		read := s.req.Method == "GET" || s.req.Method == "HEAD"
		if foreign && (f.Name == "if-match" && value == "" || f.Name == "if-none-match" && !read) {
			return unmatched("The entity tag in " + f.Name + " is none that this identity was given here.")
		}
		if value != "" {
			out = append(out, header.Field{Name: f.Name, Value: value})
		}
	}
	s.unsealed = out
	return nil
}

// openTags are the target's own tags; foreign says that there were others.
func (s *stream) openTags(list string) (opened string, foreign bool) {
	if strings.TrimSpace(list) == "*" {
		return "*", false
	}
	tags, ok := binding.Tags(list)
	var own []string
	for _, tag := range tags {
		if plain, ok := s.sh.names.Open(s.place(), tag); ok {
			own = append(own, plain)
		}
	}
	return strings.Join(own, ", "), !ok || len(own) < len(tags)
}

func unmatched(why string) *problem {
	return &problem{Status: 412, Code: "precondition_failed", Rule: "http.condition", Detail: why, status: "blocked",
		Hint: "Get the document again, and use the tag that comes with it."}
}

// upFields are the request's fields with the target's own tags. An MCP server is told of none.
func (s *stream) upFields() header.List {
	switch {
	case s.rpc != nil:
		return slices.DeleteFunc(slices.Clone(s.fields), isConditional)
	case s.unsealed != nil:
		return s.unsealed
	}
	return s.fields
}

// asClientHas puts the sealed tags back, for the record.
func (s *stream) asClientHas(list header.List) header.List {
	if s.unsealed == nil {
		return list
	}
	for i := range list {
		if known, _ := conditional(list[i].Name); known {
			list[i].Value = s.fields.Joined(list[i].Name)
		}
	}
	return list
}
