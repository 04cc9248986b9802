package http

import (
	"context"
	"errors"

	"dragoman.dev/dragoman/filters/http/mcp"
	"dragoman.dev/dragoman/filters/http/request"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
)

// bufferSlack is what Envoy may keep beyond the body that is judged.
const bufferSlack = 64 << 10

// understand takes the head apart.
func (s *stream) understand() {
	req, err := request.Parse(request.Head{Method: s.head.Method(), Scheme: s.head.Scheme(), Authority: s.head.Host(),
		Path: s.head.Path(), Headers: s.fields}, s.cfg.limits)
	if err != nil {
		no := &problem{Status: 400, Code: "undecodable", Detail: "The request cannot be understood.", status: "blocked"}
		var r *request.Refusal
		if errors.As(err, &r) {
			no.Status, no.Code, no.Detail = r.Status, r.Code, r.Message
		}
		s.action = undecodable(s.head.Method() + " " + s.head.Path())
		s.d = policy.Decision{Verdict: policy.Block, Rule: "http.decode", Reason: no.Detail, Revision: s.sh.judge.Revision()}
		no.Rule = s.d.Rule
		s.refuse(no)
		return
	}
	s.req = req
	if no := s.takeNames(); no != nil {
		s.action = undecodable(s.head.Method() + " " + s.head.Path())
		s.d = policy.Decision{Verdict: policy.Block, Rule: no.Rule, Reason: no.Detail, Revision: s.sh.judge.Revision()}
		s.refuse(no)
		return
	}
	if s.cfg.Target.Protocol == kubernetes {
		no := s.notHere()
		if no == nil {
			no = s.understandCall()
		}
		if no != nil {
			s.action = undecodable(s.head.Method() + " " + s.head.Path())
			s.d = policy.Decision{Verdict: policy.Block, Rule: no.Rule, Reason: no.Detail, Revision: s.sh.judge.Revision()}
			s.refuse(no)
			return
		}
	}
	s.wantBody = req.HasBody() && (s.sh.judge.NeedsBody() || s.cfg.mcp[req.Path] || s.call != nil)
	s.phase = gathering
	if !s.ended {
		s.host.BufferLimit(uint64(s.cfg.JudgedBody + bufferSlack))
	}
	s.gathered()
}

// undecodable is what policy and the record see of a request that cannot be understood.
func undecodable(text string) action.Action {
	return action.Undecodable(action.KindHTTP, short(text, 16<<10))
}

// gathered judges once all is there that is to be judged.
func (s *stream) gathered() {
	if s.phase != gathering || s.wantBody && !s.ended && len(s.kept) <= s.cfg.JudgedBody {
		return
	}
	if no := s.recode(); no != nil {
		s.action = s.callAction()
		s.d = policy.Decision{Verdict: policy.Block, Rule: no.Rule, Reason: no.Detail, Revision: s.sh.judge.Revision()}
		s.refuse(no)
		return
	}
	if s.cfg.mcp[s.req.Path] && s.req.Method == "POST" {
		s.judgeMessages()
		return
	}
	var body *request.Body
	if s.wantBody {
		body = request.TooLarge()
		if s.ended {
			body = request.ReadCodedBody(s.fields.Joined("content-type"), s.fields.Joined("content-encoding"), s.kept, s.cfg.limits)
		}
	}
	s.action = s.req.Action(body)
	if s.call != nil {
		s.action = s.callAction()
	}
	if s.cfg.mcp[s.req.Path] {
		if act, ok := mcp.Transport(s.cfg.Target.Name, s.req.Method); ok {
			s.action = act
		}
	}
	if !s.judge() {
		return
	}
	switch s.d.Verdict {
	case policy.Allow:
		s.forward()
	case policy.Hold:
		s.hold()
	default:
		s.refuse(blockedBy(&s.d))
	}
}

// judge has policy decide and prepares the masks that it asks for. It is false when they cannot be, which refuses.
func (s *stream) judge() bool {
	s.d = s.sh.judge.Judge(context.Background(), &s.action, nil)
	s.plan = nil
	if s.d.Verdict == policy.Block {
		return true
	}
	plan, err := s.d.Plan(&s.t.plans, s.sh.span.Opened().MaskKey)
	if err != nil {
		s.t.rt.Log().Error("mask plan", "target", s.cfg.Target.Name, "error", err)
		s.refuse(blockedBy(&s.d))
		return false
	}
	s.plan = plan
	no := s.probe()
	if no == nil {
		no = s.conditions()
	}
	if no != nil {
		s.d.Verdict, s.d.Rule, s.d.Reason = policy.Block, no.Rule, no.Detail
		s.refuse(no)
		return false
	}
	return true
}
