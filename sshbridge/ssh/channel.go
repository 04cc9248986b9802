package ssh

import (
	"context"
	"encoding/binary"
	"path"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/sshwire"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// Bounds of what a client may set before it starts something.
const (
	maxEnv      = 64
	maxEnvBytes = 16 << 10
	maxCommand  = 64 << 10 // bytes; what is longer cannot be judged
)

// channel states: what may be asked for depends on whether something runs already (RFC 4254, section 6.5:
// only one of shell, exec and subsystem can succeed in a channel).
type channelState uint8

const (
	preparing channelState = iota
	started
)

// sessionChannel is one channel of type "session".
type sessionChannel struct {
	c      *conn
	number uint32 // in the record
	client ssh.Channel
	ctx    context.Context // ends with the channel, or when the client gives up
	cancel context.CancelFunc
	state  channelState

	env    [][2]string
	envLen int
	pty    *sshwire.PTY // set before anything is started
	size   sync.Mutex
	ptyRaw []byte // its payload, with the size that counts

	proc    chan *process // the process, once it runs; closed when it does not
	running *process
	early   early
	writing sync.Mutex // the client's stdout and stderr
}

// sessionChannel serves a channel until it is closed on both sides.
func (c *conn) sessionChannel(nc ssh.NewChannel) {
	client, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	s := &sessionChannel{c: c, number: c.channels.Add(1), client: client, proc: make(chan *process, 1)}
	s.ctx, s.cancel = context.WithCancel(c.ctx)
	defer c.talk(s)()
	var work sync.WaitGroup
	for r := range reqs {
		s.request(r, &work)
	}
	s.cancel()
	work.Wait()
	client.Close()
}

// request is one request of the client.
func (s *sessionChannel) request(r *ssh.Request, work *sync.WaitGroup) {
	switch r.Type {
	case "env":
		reply(r, s.setEnv(r.Payload), nil)
	case "pty-req":
		p, err := sshwire.ParsePTY(r.Payload)
		ok := err == nil && s.state == preparing && s.pty == nil && !s.c.target.ExecOnly
		if ok {
			p.Term = gate.Printable(p.Term, 64)
			s.pty, s.ptyRaw = &p, append([]byte(nil), r.Payload...)
		}
		reply(r, ok, nil)
	case "exec", "shell", "subsystem":
		if s.state != preparing {
			reply(r, false, nil)
			return
		}
		name, rest, ok := sshwire.String(r.Payload)
		if r.Type == "shell" {
			name, ok = nil, len(r.Payload) == 0
			rest = nil
		}
		if !ok || len(rest) != 0 || len(name) > maxCommand {
			reply(r, false, nil)
			return
		}
		s.state = started
		s.start(r, string(name), work)
	case "window-change", "signal", "break":
		reply(r, s.toProcess(r), nil)
	default: // x11-req, auth-agent-req@openssh.com, eow@openssh.com …
		reply(r, false, nil)
	}
}

// setEnv notes a variable that the target's config lets the client set. Others are refused without a
// word, as sshd does.
func (s *sessionChannel) setEnv(payload []byte) bool {
	name, rest, ok := sshwire.String(payload)
	if !ok {
		return false
	}
	value, rest, ok := sshwire.String(rest)
	if !ok || len(rest) != 0 || s.state != preparing || len(s.env) >= maxEnv || s.envLen+len(payload) > maxEnvBytes {
		return false
	}
	for _, g := range s.c.target.Env {
		if match, err := path.Match(g, string(name)); err == nil && match && !strings.ContainsAny(string(name), "=\x00") {
			s.env = append(s.env, [2]string{string(name), string(value)})
			s.envLen += len(payload)
			return true
		}
	}
	return false
}

// toProcess passes on what is about the running process.
func (s *sessionChannel) toProcess(r *ssh.Request) bool {
	if s.running == nil && r.Type == "signal" && s.early.keep(s.proc, r.Payload) {
		return true
	}
	if s.running == nil {
		select {
		case s.running = <-s.proc:
		default:
		}
	}
	if r.Type == "window-change" {
		w, err := sshwire.ParseWindow(r.Payload)
		if err != nil {
			return false
		}
		if s.running == nil { // it counts from the start
			s.resize(w)
			return true
		}
	}
	return s.running != nil && s.running.request(r.Type, r.Payload)
}

// resize changes the terminal that the target will be asked for: string TERM, then columns and rows.
func (s *sessionChannel) resize(w sshwire.Window) {
	s.size.Lock()
	defer s.size.Unlock()
	if term, _, ok := sshwire.String(s.ptyRaw); ok && len(s.ptyRaw) >= len(term)+12 {
		binary.BigEndian.PutUint32(s.ptyRaw[len(term)+4:], w.Columns)
		binary.BigEndian.PutUint32(s.ptyRaw[len(term)+8:], w.Rows)
	}
}

// terminal is the payload of "pty-req", nil without a terminal.
func (s *sessionChannel) terminal() []byte {
	s.size.Lock()
	defer s.size.Unlock()
	return append([]byte(nil), s.ptyRaw...)
}

// start runs what the client asks for. The request is answered at once, since the answer of
// policy may need people: what policy says comes on stderr, and as the exit status.
func (s *sessionChannel) start(r *ssh.Request, what string, work *sync.WaitGroup) {
	var run func()
	switch {
	case r.Type == "exec":
		run = func() { s.exec(what) }
	case r.Type == "shell":
		run = s.shell
	case r.Type == "subsystem" && what == "sftp":
		run = s.sftp
	default:
		reply(r, false, nil)
		s.refuseSubsystem(what)
		return
	}
	reply(r, true, nil)
	work.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				s.c.log.Error("panic in an SSH channel", "panic", p)
				s.c.end("fault", "internal error")
			}
		}()
		run()
	})
}

// tell writes a line to the client's stderr; on a terminal it stands on a line of its own.
func (s *sessionChannel) tell(words string) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.pty != nil {
		_, _ = s.client.Write([]byte("\r\n" + strings.ReplaceAll(words, "\n", "\r\n") + "\r\n"))
		return
	}
	_, _ = s.client.Stderr().Write([]byte(words + "\n"))
}

// statusRefused is the exit status of what was not run: "found, but not executable" (POSIX, 2.8.2).
const statusRefused = 126

// fail ends the channel of something that was not run.
func (s *sessionChannel) fail(words string, status uint32) {
	s.tell(words)
	s.exit(status)
}

func (s *sessionChannel) exit(status uint32) {
	_, _ = s.client.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, status))
	_ = s.client.CloseWrite()
	s.client.Close()
}
