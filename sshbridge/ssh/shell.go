package ssh

import (
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/sshbridge/gate"
	"dragoman.dev/dragoman/sshbridge/typing"
)

// shell opens an interactive shell; its lines are judged as they are typed.
func (s *sessionChannel) shell() {
	act := gate.Plain(action.KindShell, "shell", "interactive shell")
	if s.pty == nil {
		act.Text = "shell without a terminal"
	}
	s.variables(&act)
	if s.c.target.ExecOnly {
		s.fail(s.c.refuse(act, "target.exec_only", "this target has no interactive shells", "give the command: ssh HOST COMMAND").Error(), statusRefused)
		return
	}
	p, err := s.ask(act, gate.Digest("shell", s.envText()))
	if err != nil {
		s.fail(err.Error(), statusRefused)
		return
	}
	s.run(p, "shell", "", true)
}

// lines judges what is typed into a shell.
func (p *process) lines() *typing.Lines {
	s := p.s
	return typing.New(typing.Options{
		TTY: s.pty != nil,
		Judge: func(act action.Action) bool {
			line, err := s.c.pass(s.ctx, act, gate.Digest("line", act.Text), s.tell)
			if err != nil {
				s.tell(err.Error())
				return false
			}
			s.c.result(line, record.Result{Status: "ok", Message: "submitted"})
			return true
		},
		Send:       func(b, shown []byte) bool { return p.send(b, shown) },
		CloseInput: func() { _ = p.target.CloseWrite() },
	})
}
