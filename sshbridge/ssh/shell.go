package ssh

import (
	"dragoman.dev/dragoman/internal/action"
)

// shell opens an interactive shell; its lines are judged as they are typed.
func (s *sessionChannel) shell() {
	act := plain(action.KindShell, "shell", "interactive shell")
	if s.pty == nil {
		act.Text = "shell without a terminal"
	}
	s.variables(&act)
	if s.c.target.ExecOnly {
		s.fail(s.c.refuse(act, "target.exec_only", "this target has no interactive shells", "give the command: ssh HOST COMMAND").Error(), statusRefused)
		return
	}
	p, err := s.c.pass(s.ctx, act, digestOf("shell", s.envText()), s.tell)
	if err != nil {
		s.fail(err.Error(), statusRefused)
		return
	}
	s.run(p, "shell", "", newLines(s, s.pty != nil))
}
