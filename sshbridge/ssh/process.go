package ssh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
	"dragoman.dev/dragoman/internal/termmask"
	"dragoman.dev/dragoman/sshbridge/gate"
	"dragoman.dev/dragoman/sshbridge/typing"
)

// chunk is how much is read, recorded and passed on at a time.
const chunk = 32 << 10

// manyChunks is how many of them are moved at a time when they come faster than they go.
const manyChunks = 4

// process is something that runs on the target, on a channel of its own there.
type process struct {
	s      *sessionChannel
	p      gate.Passed
	target ssh.Channel
	reqs   <-chan *ssh.Request
	plan   *mask.Plan

	mu     sync.Mutex
	bytes  int64
	masked int64
	exit   *ssh.Request
	failed error
}

// launch opens a channel on the target and starts the request there.
func (s *sessionChannel) launch(p gate.Passed, request, what string) (*process, error) {
	plan, err := s.c.gate.Plan(&s.c.server.plans, p)
	if err != nil {
		return nil, errors.New("its masks are not good")
	}
	up, err := s.c.connect()
	if err != nil {
		return nil, fmt.Errorf("it cannot be reached: %w", err)
	}
	ch, reqs, err := up.OpenChannel("session", nil)
	if err != nil {
		return nil, err
	}
	proc := &process{s: s, p: p, target: ch, reqs: reqs, plan: plan}
	if err := proc.prepare(request, what); err != nil {
		ch.Close()
		go ssh.DiscardRequests(reqs)
		return nil, err
	}
	for _, signal := range s.early.started(s.proc, proc) {
		proc.request("signal", signal)
	}
	return proc, nil
}

// prepare asks for variables, the terminal, and what is to run; recorded first.
func (p *process) prepare(request, what string) error {
	s := p.s
	terminal := s.terminal()
	if terminal != nil {
		if err := p.record(true, sshwire.AppendRequest(nil, s.number, "pty-req", terminal)); err != nil {
			return err
		}
	}
	for _, e := range s.env {
		payload := ssh.Marshal(struct{ Name, Value string }{e[0], e[1]})
		_, _ = p.target.SendRequest("env", false, payload) // a target that refuses it goes without, as with any sshd
	}
	if terminal != nil {
		if ok, err := p.target.SendRequest("pty-req", true, terminal); err != nil || !ok {
			return errors.New("the target gives no terminal")
		}
	}
	var payload []byte
	if request != "shell" {
		payload = ssh.Marshal(struct{ What string }{what})
	}
	ok, err := p.target.SendRequest(request, true, payload)
	if err == nil && !ok {
		err = fmt.Errorf("the target refuses the request %q", request)
	}
	return err
}

// record keeps one message before what it stands for moves.
func (p *process) record(request bool, message ...[]byte) error {
	return p.s.c.gate.Record(p.p, request, message...)
}

// request passes on a signal or a terminal's new size.
func (p *process) request(name string, payload []byte) bool {
	if err := p.record(true, sshwire.AppendRequest(nil, p.s.number, name, payload)); err != nil {
		p.lost(err)
		return false
	}
	ok, err := p.target.SendRequest(name, name == "break", payload)
	return err == nil && (ok || name != "break")
}

// lost ends what cannot be recorded any more.
func (p *process) lost(err error) {
	p.mu.Lock()
	first := p.failed == nil
	p.failed = err
	p.mu.Unlock()
	if !first {
		return
	}
	if !errors.Is(err, record.ErrClosed) {
		p.s.c.log.Error("a command is ended: it cannot be recorded", "err", err)
		p.s.tell("dragoman: ended: the session cannot be recorded any more")
	}
	p.target.Close()
}

// pump moves everything until the process has ended.
func (p *process) pump(input *typing.Lines) {
	s := p.s
	stop := make(chan struct{})
	go func() { // a client that goes takes its process along
		select {
		case <-s.ctx.Done():
			p.target.Close()
		case <-stop:
		}
	}()
	go p.stdin(input)
	var out sync.WaitGroup
	out.Go(func() { p.output(p.target, s.client, sshwire.AppendDataHead, input) })
	out.Go(func() { p.output(p.target.Stderr(), s.client.Stderr(), sshwire.AppendExtendedHead, nil) })
	for r := range p.reqs {
		switch r.Type {
		case "exit-status", "exit-signal":
			p.exit = r
		}
		reply(r, false, nil)
	}
	out.Wait()
	close(stop)
	p.finish()
	s.cancel()
}

// stdin moves what the client sends.
func (p *process) stdin(input *typing.Lines) {
	buf := make([]byte, chunk)
	var head [16]byte
	for {
		n, err := p.s.client.Read(buf)
		if n > 0 {
			if input != nil {
				if !input.Typed(buf[:n]) {
					return
				}
			} else if !p.send(buf[:n], nil) {
				return
			}
		}
		if err != nil {
			if input != nil && !input.Ends() {
				return
			}
			if rerr := p.record(true, sshwire.AppendEnd(head[:0], sshwire.MsgEOF, p.s.number)); rerr == nil {
				_ = p.target.CloseWrite() // a target that is gone is noticed by its output
			}
			return
		}
	}
}

// send records input and passes it on. shown is what the record gets in its place, when that is not nil.
func (p *process) send(b, shown []byte) bool {
	if shown == nil {
		shown = b
	}
	var head [16]byte
	if err := p.record(true, sshwire.AppendDataHead(head[:0], p.s.number, len(shown)), shown); err != nil {
		p.lost(err)
		return false
	}
	return p.s.c.sent.whole(p.target, b) == nil
}

// output moves one stream of the process to the client: masked, recorded, delivered.
func (p *process) output(from io.Reader, to io.Writer, form headForm, input *typing.Lines) {
	m := termmask.New(p.plan, p.s.pty != nil)
	deliver := func(b []byte) error {
		if len(b) == 0 {
			return nil
		}
		if input != nil {
			input.Shown(b)
		}
		return p.deliver(b, to, form)
	}
	var err error
	if m.Passes() {
		err = copyChunks(from, deliver)
	} else {
		err = m.Copy(from, deliver)
	}
	p.mu.Lock()
	p.masked += m.Masked()
	p.mu.Unlock()
	if err != nil && !errors.Is(err, io.EOF) {
		if errors.Is(err, errNotRecorded) {
			p.lost(err)
		}
		p.target.Close()
	}
}

// headForm is the head of a message with data.
type headForm func(dst []byte, channel uint32, n int) []byte

var errNotRecorded = errors.New("not recorded")

func (p *process) deliver(b []byte, to io.Writer, form headForm) error {
	var head [16]byte
	if err := p.record(false, form(head[:0], p.s.number, len(b)), b); err != nil {
		return fmt.Errorf("%w: %w", errNotRecorded, err)
	}
	p.mu.Lock()
	p.bytes += int64(len(b))
	p.mu.Unlock()
	if p.s.pty != nil { // lines of ours do not come between
		p.s.writing.Lock()
		defer p.s.writing.Unlock()
	}
	return p.s.c.raw.whole(to, b)
}

// copyChunks moves pieces of a chunk, and of several when there is much.
func copyChunks(from io.Reader, deliver func([]byte) error) error {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if derr := deliver(buf[:n]); derr != nil {
			return derr
		}
		if err != nil {
			return err
		}
		if n == chunk && len(buf) == chunk {
			buf = make([]byte, manyChunks*chunk)
		}
	}
}

// finish tells the client, and the record, how the process ended.
func (p *process) finish() {
	s := p.s
	res := record.Result{Status: "ok", Bytes: p.bytes, Masked: p.masked}
	switch {
	case p.failed != nil:
		res.Status, res.Message = "lost", "it could not be recorded"
	case p.exit == nil:
		res.Status, res.Message = "lost", "the channel was closed without an exit status"
	case p.exit.Type == "exit-signal":
		name, _, _ := sshwire.String(p.exit.Payload)
		res.Status, res.Code = "error", "SIG"+gate.Printable(string(name), 32)
	case len(p.exit.Payload) == 4:
		if n := binary.BigEndian.Uint32(p.exit.Payload); n != 0 {
			res.Status = "error"
		}
		res.Code = fmt.Sprint(binary.BigEndian.Uint32(p.exit.Payload))
	}
	if p.exit != nil {
		_ = p.record(false, sshwire.AppendRequest(nil, s.number, p.exit.Type, p.exit.Payload)) // the result says it, too
	}
	s.c.result(p.p, res)
	if p.exit != nil {
		_, _ = s.client.SendRequest(p.exit.Type, false, p.exit.Payload)
	}
	_ = s.client.CloseWrite()
	p.target.Close()
	s.client.Close()
}
