package ssh

import (
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/shell"
)

// exec runs one command line.
func (s *sessionChannel) exec(command string) {
	act := shell.Analyse(action.KindExec, command)
	if s.pty != nil {
		act.Features["pty"] = true
	}
	s.variables(&act)
	p, err := s.c.pass(s.ctx, act, digestOf("exec", command, s.envText()), s.tell)
	if err != nil {
		s.fail(err.Error(), statusRefused)
		return
	}
	s.run(p, "exec", command, nil)
}

// run starts something on the target and waits for its end. input looks at what the client types; nil passes it on.
func (s *sessionChannel) run(p passed, request, what string, input *lines) {
	proc, err := s.launch(p, request, what)
	if err != nil {
		s.c.log.Warn("not run", "err", err)
		s.c.result(p, record.Result{Status: "error", Message: err.Error()})
		s.fail("dragoman: the target did not run it: "+printable(err.Error(), 512), 255)
		return
	}
	proc.pump(input)
}

// variables shows policy what the client sets.
func (s *sessionChannel) variables(act *action.Action) {
	for _, e := range s.env {
		act.Params = append(act.Params, action.Param{Name: "env/" + printable(e[0], 128), Value: printable(e[1], 1024)})
	}
}

func (s *sessionChannel) envText() string {
	text := ""
	for _, e := range s.env {
		text += e[0] + "=" + e[1] + "\x00"
	}
	return text
}

// refuseSubsystem records that a subsystem was asked for which nothing here can decode.
func (s *sessionChannel) refuseSubsystem(name string) {
	act := plain(action.KindExec, "subsystem", "subsystem "+printable(name, 256))
	_ = s.c.refuse(act, "bridge.subsystem", "only the subsystem sftp can be judged", "use sftp, scp or a command") // the client has its answer
}
