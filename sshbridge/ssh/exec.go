package ssh

import (
	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/shell"
	"dragoman.dev/dragoman/sshbridge/gate"
	"dragoman.dev/dragoman/sshbridge/typing"
)

// exec runs one command line.
func (s *sessionChannel) exec(command string) {
	act := shell.Analyse(action.KindExec, command)
	if s.pty != nil {
		act.Features["pty"] = true
		shell.OnTerminal(&act)
	}
	s.variables(&act)
	p, err := s.ask(act, gate.Digest("exec", command, s.envText()))
	if err != nil {
		s.fail(err.Error(), statusRefused)
		return
	}
	s.c.running.Add(1)
	defer s.c.running.Add(-1)
	s.run(p, "exec", command, false)
}

// ask asks whether something may run. A signal that would end it withdraws the question.
func (s *sessionChannel) ask(act action.Action, digest string) (gate.Passed, error) {
	ctx, asked := s.early.asking(s.ctx)
	defer asked()
	return s.c.pass(ctx, act, digest, s.tell)
}

// run starts something on the target and waits for its end. The lines of a shell are judged.
func (s *sessionChannel) run(p gate.Passed, request, what string, shell bool) {
	proc, err := s.launch(p, request, what)
	if err != nil {
		s.c.log.Warn("not run", "err", err)
		s.c.result(p, record.Result{Status: "error", Message: err.Error()})
		s.fail("dragoman: the target did not run it: "+gate.Printable(err.Error(), 512), 255)
		return
	}
	var input *typing.Lines
	if shell {
		input = proc.lines()
	}
	proc.pump(input)
}

// variables shows policy what the client sets.
func (s *sessionChannel) variables(act *action.Action) {
	for _, e := range s.env {
		act.Params = append(act.Params, action.Param{Name: "env/" + gate.Printable(e[0], 128), Value: gate.Printable(e[1], 1024)})
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
	act := gate.Plain(action.KindExec, "subsystem", "subsystem "+gate.Printable(name, 256))
	_ = s.c.refuse(act, "bridge.subsystem", "only the subsystem sftp can be judged", "use sftp, scp or a command") // the client has its answer
}
