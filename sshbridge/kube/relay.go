package kube

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/kube"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sshwire"
	"dragoman.dev/dragoman/internal/termmask"
	"dragoman.dev/dragoman/sshbridge/gate"
	"dragoman.dev/dragoman/sshbridge/typing"
)

// channelNumber is that of the one command of a session, in the record.
const channelNumber = 1

// maxResize bounds a message that tells a terminal's size.
const maxResize = 256

// relay moves the streams of one command.
type relay struct {
	s          *stream
	p          gate.Passed
	plan       *mask.Plan
	tty        bool
	client, up side
	input      *typing.Lines // of a shell; nil passes what is typed

	writing sync.Mutex // of the client's output
	mu      sync.Mutex
	bytes   int64
	masked  int64
	failed  error
	said    *kube.Status // by the target
}

var errNotRecorded = errors.New("not recorded")

// record keeps one message before what it stands for moves.
func (x *relay) record(request bool, message ...[]byte) error {
	if err := x.s.gate.Record(x.p, request, message...); err != nil {
		return fmt.Errorf("%w: %w", errNotRecorded, err)
	}
	return nil
}

// begin records what the target is asked for: a terminal, whose size comes later, and the command.
func (x *relay) begin() error {
	r := &x.s.req
	if r.TTY {
		payload := binary.BigEndian.AppendUint32(nil, 0) // string TERM, which kubelet sets
		for _, n := range []uint32{80, 24, 0, 0, 0} {    // columns, rows, pixels, string modes
			payload = binary.BigEndian.AppendUint32(payload, n)
		}
		if err := x.record(true, sshwire.AppendRequest(nil, channelNumber, "pty-req", payload)); err != nil {
			return err
		}
	}
	what := commandLine(r.Command)
	if r.Subresource == kube.Attach {
		what = r.Namespace + "/" + r.Pod
	}
	payload := append(binary.BigEndian.AppendUint32(nil, uint32(len(what))), what...)
	return x.record(true, sshwire.AppendRequest(nil, channelNumber, r.Subresource, payload))
}

// run moves everything until the command has ended.
func (x *relay) run(shell bool) {
	if shell {
		x.input = x.lines()
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer func() {
			if p := recover(); p != nil {
				x.s.log.Error("panic in a Kubernetes stream", "panic", p)
				x.s.end("fault", "internal error")
			}
		}()
		x.fromClient()
		x.up.close(nil) // a client that goes takes its command along
		x.s.cancel()
	}()
	x.fromTarget()
	x.s.cancel() // a line that waits for people is withdrawn
	x.finish()
	x.up.close(nil)
	x.client.close(nil)
	<-gone
}

// lost ends what cannot be recorded any more.
func (x *relay) lost(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed == nil && errors.Is(err, errNotRecorded) {
		x.failed = err
		if !errors.Is(err, record.ErrClosed) {
			x.s.log.Error("a command is ended: it cannot be recorded", "err", err)
		}
	}
}

// fromClient moves what the client sends until it goes.
func (x *relay) fromClient() {
	var size []byte
	for {
		p, err := x.client.read()
		if err != nil {
			return
		}
		switch {
		case p.channel == stdin && x.s.req.Stdin:
			err = x.typed(p)
		case p.channel == stdin && len(p.data) == 0: // some say so without having asked for it
		case p.channel == resize && x.tty:
			if p.end {
				continue
			}
			if size = append(size, p.data...); len(size) > maxResize {
				err = errChannels
			} else if p.last {
				err = x.resized(size)
				size = size[:0]
			}
		default:
			err = fmt.Errorf("%w: channel %d", errChannels, p.channel)
		}
		if err != nil {
			x.lost(err)
			x.s.log.Debug("a client's stream is ended", "err", err)
			return
		}
	}
}

// errStopped says that what the client sends is not passed on any more.
var errStopped = errors.New("stopped")

// typed is input, or its end.
func (x *relay) typed(p piece) error {
	if len(p.data) > 0 {
		if x.input == nil {
			return x.send(p.data, nil)
		}
		if !x.input.Typed(p.data) {
			return errStopped
		}
	}
	if !p.end {
		return nil
	}
	if x.input != nil && !x.input.Ends() {
		return errStopped
	}
	return x.closeInput()
}

func (x *relay) closeInput() error {
	if err := x.record(true, sshwire.AppendEnd(nil, sshwire.MsgEOF, channelNumber)); err != nil {
		return err
	}
	return x.up.end(stdin)
}

// send records input and passes it on; shown is what the record gets in its place, when that is not nil.
func (x *relay) send(b, shown []byte) error {
	if shown == nil {
		shown = b
	}
	if err := x.record(true, sshwire.AppendDataHead(nil, channelNumber, len(shown)), shown); err != nil {
		return err
	}
	return x.up.write(stdin, b)
}

// resized is a terminal's new size.
func (x *relay) resized(b []byte) error {
	var size struct{ Width, Height uint16 }
	if err := json.Unmarshal(b, &size); err != nil {
		return fmt.Errorf("%w: size", errChannels)
	}
	payload := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(size.Width)), uint32(size.Height))
	payload = append(payload, make([]byte, 8)...)
	if err := x.record(true, sshwire.AppendRequest(nil, channelNumber, "window-change", payload)); err != nil {
		return err
	}
	return x.up.write(resize, fmt.Appendf(nil, `{"Width":%d,"Height":%d}`, size.Width, size.Height))
}

// lines judges what is typed into a shell.
func (x *relay) lines() *typing.Lines {
	s := x.s
	return typing.New(typing.Options{
		TTY: x.tty,
		Judge: func(act action.Action) bool {
			credentials(&act)
			line, err := s.gate.Pass(s.ctx, act, gate.Digest("line", act.Text), x.tell)
			if err != nil {
				x.tell(err.Error())
				return false
			}
			s.gate.Result(line, record.Result{Status: "ok", Message: "submitted"})
			return true
		},
		Send: func(b, shown []byte) bool {
			err := x.send(b, shown)
			if err != nil {
				x.lost(err)
			}
			return err == nil
		},
		CloseInput: func() { _ = x.up.end(stdin) },
	})
}

// tell writes a line to the client; on a terminal it stands on a line of its own.
func (x *relay) tell(words string) {
	x.writing.Lock()
	defer x.writing.Unlock()
	if x.tty {
		_ = x.client.write(stdout, []byte("\r\n"+strings.ReplaceAll(words, "\n", "\r\n")+"\r\n"))
		return
	}
	_ = x.client.write(stderr, []byte(words+"\n"))
}

// fromTarget moves what the target sends until it ends.
func (x *relay) fromTarget() {
	out := [2]*output{x.output(stdout), x.output(stderr)}
	var said []byte
	for {
		p, err := x.up.read()
		if err != nil {
			break
		}
		switch {
		case p.channel == stdout, p.channel == stderr:
			err = out[p.channel-stdout].take(p.data)
		case p.channel == ending:
			if said = append(said, p.data...); len(said) > maxStatus {
				err = errChannels
			}
		case len(p.data) == 0: // the end of another channel
		default:
			err = fmt.Errorf("%w: channel %d", errChannels, p.channel)
		}
		if err != nil {
			x.lost(err)
			break
		}
	}
	for _, o := range out {
		o.close()
	}
	if st, err := kube.ParseStatus(said); err == nil {
		x.said = masked(st, x.plan)
	}
}

func (x *relay) output(channel byte) *output {
	return newOutput(termmask.New(x.plan, x.tty), x.tty, func(b []byte) error { return x.deliver(channel, b) }, func(n int64) {
		x.mu.Lock()
		x.masked += n
		x.mu.Unlock()
	})
}

func (x *relay) deliver(channel byte, b []byte) error {
	form := sshwire.AppendDataHead
	if channel == stderr {
		form = sshwire.AppendExtendedHead
	}
	if x.input != nil && channel == stdout {
		x.input.Shown(b)
	}
	if err := x.record(false, form(make([]byte, 0, 16), channelNumber, len(b)), b); err != nil {
		x.lost(err)
		return err
	}
	x.mu.Lock()
	x.bytes += int64(len(b))
	x.mu.Unlock()
	x.writing.Lock()
	defer x.writing.Unlock()
	return x.client.write(channel, b)
}

// finish tells the client, and the record, how the command ended.
func (x *relay) finish() {
	x.mu.Lock()
	res := record.Result{Status: "ok", Bytes: x.bytes, Masked: x.masked}
	lost := x.failed
	x.mu.Unlock()
	code, known := "", false
	if x.said != nil {
		code, known = x.said.Exit()
	}
	switch {
	case lost != nil:
		res.Status, res.Message = "lost", "it could not be recorded"
	case x.said == nil:
		res.Status, res.Message = "lost", "it ended without saying how"
	case !known:
		res.Status, res.Message = "error", gate.Printable(x.said.Message, 512)
	case code != "0":
		res.Status, res.Code = "error", code
	default:
		res.Code = code
	}
	if known {
		var n uint32
		_, _ = fmt.Sscan(code, &n)
		_ = x.record(false, sshwire.AppendRequest(nil, channelNumber, "exit-status", binary.BigEndian.AppendUint32(nil, n))) // the result says it, too
	}
	x.s.gate.Result(x.p, res)
	if x.said == nil {
		x.s.mu.Lock()
		words := x.s.over
		x.s.mu.Unlock()
		if words == "" {
			words = "the command ended without saying how"
		}
		x.said = fault(words)
	}
	x.s.tellEnd(x.client, x.said)
}
