package http

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/mcp"
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
)

// rpc is a stream's part in an MCP conversation.
type rpc struct {
	post *mcp.Post // nil for a stream that a GET opened
	list []message // of the post, those that are judged
	conv *mcp.Conversation
	fix  bool // the conversation has its key
}

// message is one judged message of a POST.
type message struct {
	*mcp.Message
	action  action.Action
	d       policy.Decision
	plan    *mask.Plan
	worded  []byte // as in stream
	ordinal uint64
}

func (s *stream) talkKey(id string) string {
	if id == "" {
		return ""
	}
	// Of the identity, not of our session: one that reaches the same MCP session from two addresses must not have
	// the answer to one question taken for that to another.
	who := s.sh.span.Opened().Identity
	return hex.EncodeToString([]byte(session.SpanKey(append([]string{who.Issuer, who.Subject}, who.Actors...)...))) + "/" + id
}

func (s *stream) converse() *rpc {
	id := s.named.session
	return &rpc{conv: s.t.talks.Of(s.talkKey(id)), fix: id != ""}
}

// judgeMessages judges a POST to an MCP endpoint message by message. One that may not pass keeps all of them back.
func (s *stream) judgeMessages() {
	s.action = undecodable("POST " + s.req.Target())
	if !s.ended {
		s.d = policy.Decision{Rule: "mcp.decode", Revision: s.sh.judge.Revision()}
		s.refuse(&problem{Status: 413, Code: "too_large", Rule: s.d.Rule, Detail: "The message is longer than what can be judged.", status: "blocked"})
		return
	}
	post, err := mcp.ParsePost(s.kept, mcp.Limits{Body: s.cfg.JudgedBody})
	if err != nil {
		s.refusePost(err)
		return
	}
	s.rpc = s.converse()
	s.rpc.post = post
	worst := -1
	for i := range post.Messages {
		m := message{Message: &post.Messages[i]}
		act, judged := m.Action(s.cfg.Target.Name, len(post.Messages))
		if !judged {
			continue
		}
		m.action = act
		s.judgeMessage(&m)
		s.rpc.list = append(s.rpc.list, m)
		if worst < 0 || weight(m.d.Verdict) > weight(s.rpc.list[worst].d.Verdict) {
			worst = len(s.rpc.list) - 1
		}
	}
	s.settleMessages(worst)
}

// settleMessages does what the worst verdict says; without any message that is judged the POST only answers the server.
func (s *stream) settleMessages(worst int) {
	if worst < 0 {
		s.action = s.req.Action(nil)
		s.d = policy.Decision{Verdict: policy.Allow, Rule: "mcp.answer", Revision: s.sh.judge.Revision()}
		s.forward()
		return
	}
	l := s.rpc.list
	l[0], l[worst] = l[worst], l[0]
	s.action, s.d, s.plan = l[0].action, l[0].d, l[0].plan
	if s.d.Verdict == policy.Allow && len(l) > 1 {
		var masks []mask.Spec
		for i := range l {
			masks = mcp.Union(masks, l[i].d.Mask)
		}
		if !s.maskBy(masks) {
			return
		}
	}
	switch {
	case s.d.Verdict == policy.Allow:
		s.forward()
	case s.d.Verdict == policy.Hold && len(l) > 1:
		s.refuse(&problem{Status: 403, Code: "blocked", Rule: s.d.Rule, status: "blocked",
			Detail: "One of the messages needs approval.", Hint: "Send it alone."})
	case s.d.Verdict == policy.Hold:
		s.hold()
	default:
		s.refuse(blockedBy(&s.d))
	}
}

// maskBy makes the plan for what answers no single message: heads, notifications, what is not JSON-RPC.
func (s *stream) maskBy(masks []mask.Spec) bool {
	d := policy.Decision{Mask: masks}
	plan, err := d.Plan(&s.t.plans, s.sh.span.Opened().MaskKey)
	if err != nil {
		s.t.rt.Log().Error("mask plan", "target", s.cfg.Target.Name, "error", err)
		s.d = policy.Decision{Rule: d.Rule, Reason: d.Reason, Revision: s.d.Revision}
		s.refuse(blockedBy(&s.d))
		return false
	}
	s.plan = plan
	return true
}

func weight(v policy.Verdict) int {
	switch v {
	case policy.Allow:
		return 0
	case policy.Hold:
		return 1
	}
	return 2
}

func (s *stream) judgeMessage(m *message) {
	m.d = s.sh.judge.Judge(context.Background(), &m.action, nil)
	if m.d.Verdict == policy.Block {
		return
	}
	var err error
	if m.plan, err = m.d.Plan(&s.t.plans, s.sh.span.Opened().MaskKey); err != nil {
		s.t.rt.Log().Error("mask plan", "target", s.cfg.Target.Name, "error", err)
	}
}

// refusePost answers a body that is not MCP.
func (s *stream) refusePost(err error) {
	p := &problem{Status: 400, Code: "undecodable", Rule: "mcp.decode", Detail: "The body is no MCP message.", status: "blocked"}
	var e *mcp.Error
	if errors.As(err, &e) {
		p.raw, p.Detail = e.Body(), e.Message
	}
	s.d = policy.Decision{Rule: p.Rule, Reason: p.Detail, Revision: s.sh.judge.Revision()}
	s.refuse(p)
}

// refuseMessages makes a refusal the answer to each request of a POST; notifications have none.
func (s *stream) refuseMessages(p *problem) {
	if s.rpc == nil || s.rpc.post == nil || p.raw != nil {
		return
	}
	why := mcp.Problem{Code: p.Code, Rule: p.Rule, Reason: p.Detail, Hint: p.Hint, Hold: p.Hold, URL: p.URL}
	var answers [][]byte
	for _, m := range s.rpc.post.Messages {
		if m.Kind == mcp.Request {
			answers = append(answers, mcp.Refuse(m.ID, why))
		}
	}
	switch {
	case len(answers) == 0:
	case s.rpc.post.Batch:
		p.raw = append(append([]byte("["), bytes.Join(answers, []byte(","))...), ']')
	default:
		p.raw = answers[0]
	}
}

// expectAnswers notes what is asked, before it is sent; a response can only answer that.
func (s *stream) expectAnswers() bool {
	if s.rpc == nil && s.cfg.mcp[s.req.Path] {
		s.rpc = s.converse()
	}
	if s.rpc == nil {
		return true
	}
	if len(s.rpc.list) == 0 { // what comes may belong to anything that was asked before
		if masks := s.rpc.conv.Masks(); len(masks) > 0 && !s.maskBy(mcp.Union(s.d.Mask, masks)) {
			return false
		}
	}
	for i := range s.rpc.list {
		m := &s.rpc.list[i]
		if err := s.rpc.conv.Ask(m.Message, mcp.Asked{Plan: m.plan, Masks: m.d.Mask, Allow: s.mayCall}); err != nil {
			for _, before := range s.rpc.list[:i] {
				s.rpc.conv.Forget(before.ID)
			}
			s.refusePost(err)
			return false
		}
	}
	return true
}

// mayCall reports whether the identity may be shown a tool.
func (s *stream) mayCall(tool string) bool {
	a := mcp.Listing(s.cfg.Target.Name, tool)
	return s.sh.judge.Judge(context.Background(), &a, nil).Verdict != policy.Block
}

// reply masks what the server answers.
func (r *rpc) reply(s *stream, h content.Head) (changing, error) {
	if id := s.named.session; id != "" && !r.fix {
		r.fix = true
		s.t.talks.Keep(s.talkKey(id), r.conv)
	}
	reply, err := r.conv.Reply(h, s.plan, nil)
	reply.BindEvents(s.bindEvent)
	return reply, err
}

// wordOthers puts the other messages of a batch into words.
func (s *stream) wordOthers() error {
	if s.rpc == nil || len(s.rpc.list) < 2 {
		return nil
	}
	for i := range s.rpc.list[1:] {
		m := &s.rpc.list[i+1]
		act := maskedAs(m.plan, m.action)
		payload, err := record.AppendAction(nil, &act, &m.d)
		if err != nil {
			return err
		}
		m.worded = payload
	}
	return nil
}

// announceOthers records the other messages of a batch.
func (s *stream) announceOthers(b *session.Batch) {
	if s.rpc == nil || len(s.rpc.list) < 2 {
		return
	}
	for i := range s.rpc.list[1:] {
		m := &s.rpc.list[i+1]
		m.ordinal = b.Action(m.worded)
		m.worded = nil
		s.noteTrace(b, m.ordinal)
	}
}

func (s *stream) closeOthers(b *session.Batch, r record.Result) {
	if s.rpc == nil || len(s.rpc.list) < 2 {
		return
	}
	for _, m := range s.rpc.list[1:] {
		b.Result(m.ordinal, record.Result{Status: r.Status, Code: r.Code, Duration: r.Duration})
	}
}
