package ssh

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/internal/sftpwire"
	"dragoman.dev/dragoman/internal/sshwire"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// Bounds of one file transfer session.
const (
	maxHandles = 1024
	maxPending = 1024
)

// sftpSession is the subsystem sftp of one channel: each request is decoded, its paths are made real,
// and it is judged before it goes to the target, in the order in which requests come.
type sftpSession struct {
	s      *sessionChannel
	target ssh.Channel
	cwd    string // of the login, real

	mu      sync.Mutex
	next    uint32 // number of the next request to the target
	pending map[uint32]func(sftpwire.Packet)
	handles map[string]*openFile
	ended   bool
	asked   []byte        // the client's packet that is being served, with its length; of the goroutine that reads requests
	told    []byte        // the target's packet that is being served, with its length; of the goroutine that reads responses
	slots   chan struct{} // one for each request that the target has not answered
}

// openFile is an open file or folder.
type openFile struct {
	path string
	p    gate.Passed
	dir  bool
	plan *mask.Plan
	read stream // what the client got
	sent stream // what it wrote
}

var errEnded = errors.New("the file transfer has ended")

// sftp serves the subsystem of that name.
func (s *sessionChannel) sftp() {
	up, err := s.c.connect()
	if err != nil {
		s.fail("dragoman: the target cannot be reached: "+gate.Printable(err.Error(), 512), 255)
		return
	}
	target, reqs, err := up.OpenChannel("session", nil)
	if err != nil {
		s.fail("dragoman: the target opens no channel", 255)
		return
	}
	defer target.Close()
	go ssh.DiscardRequests(reqs)
	f := &sftpSession{s: s, target: target, pending: map[uint32]func(sftpwire.Packet){}, handles: map[string]*openFile{}, slots: make(chan struct{}, maxPending)}
	if err := f.begin(); err != nil {
		s.c.log.Warn("sftp does not begin", "err", err)
		s.fail("dragoman: "+gate.Printable(err.Error(), 512), 255)
		return
	}
	go io.Copy(io.Discard, target.Stderr())
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.ctx.Done():
			target.Close()
		case <-stop:
		}
	}()
	var both sync.WaitGroup
	both.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				s.c.log.Error("panic in the answers of an sftp server", "panic", p)
				s.c.end("fault", "internal error")
			}
		}()
		f.responses()
		f.closeAll()
		s.exit(0) // the client's side ends with the target's
	})
	if err := f.requests(); !errors.Is(err, io.EOF) {
		s.c.log.Debug("sftp ends", "err", err)
	}
	_ = target.CloseWrite() // the target ends when it has answered
	both.Wait()
}

// begin starts the subsystem on the target and agrees on the version, with both sides.
func (f *sftpSession) begin() error {
	payload := ssh.Marshal(struct{ Name string }{"sftp"})
	err := f.s.c.span.Commit(func(b *session.Batch) { b.Request(0, sshwire.AppendRequest(nil, f.s.number, "subsystem", payload)) })
	if err != nil {
		return errors.New("refused: it cannot be recorded")
	}
	if ok, err := f.target.SendRequest("subsystem", true, payload); err != nil || !ok {
		return errors.New("the target has no sftp")
	}
	var client, target sftpwire.Framer
	p, err := nextPacket(f.s.client, &client)
	if err != nil || p.Type() != sftpwire.Init {
		return errors.New("the client does not begin with its version")
	}
	if _, err := f.target.Write(sftpwire.InitPacket()); err != nil {
		return err
	}
	if p, err = nextPacket(f.target, &target); err != nil || p.Type() != sftpwire.VersionP || len(p) < 5 {
		return errors.New("the target does not answer with its version")
	}
	version, err := sftpwire.FilterVersion(p)
	if err != nil {
		return err
	}
	home := &sftpwire.Request{Type: sftpwire.Realpath, ID: 1, Path: "."}
	if _, err := f.target.Write(home.Encode()); err != nil {
		return err
	}
	if p, err = nextPacket(f.target, &target); err != nil {
		return err
	}
	r, err := sftpwire.ParseResponse(p)
	if err != nil || len(r.Names) != 1 {
		return errors.New("the target does not tell its working folder")
	}
	f.cwd, f.next = r.Names[0], 2
	_, err = f.s.client.Write(version)
	return err
}

// nextPacket reads exactly one packet: what is behind it would be lost with the framer.
func nextPacket(r io.Reader, f *sftpwire.Framer) (sftpwire.Packet, error) {
	var one [1]byte
	for {
		if p, err := f.Next(); p != nil || err != nil {
			return p, err
		}
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return nil, err
		}
		f.Add(one[:])
	}
}

// packets calls f for each packet of a stream, until it ends: the error is io.EOF then, never nil. The packet is f's to
// change until it returns; wire is the same with its length in front.
func packets(r io.Reader, f func(p sftpwire.Packet, wire []byte) error) error {
	var framer sftpwire.Framer
	for {
		for {
			p, err := framer.Next()
			if err != nil {
				return err
			}
			if p == nil {
				break
			}
			if err := f(p, framer.Wire()); err != nil {
				return err
			}
		}
		n, err := r.Read(framer.Room(4 * chunk))
		framer.Filled(n)
		if err != nil && n == 0 {
			return err
		}
	}
}

// requests goes through what the client asks.
func (f *sftpSession) requests() error {
	return packets(f.s.client, func(p sftpwire.Packet, wire []byte) error {
		f.asked = wire
		r, err := sftpwire.ParseRequest(p)
		if err != nil {
			return err // the stream cannot be followed any more
		}
		return f.request(&r)
	})
}

// responses hands the target's answers to whoever waits for them.
func (f *sftpSession) responses() {
	err := packets(f.target, func(p sftpwire.Packet, wire []byte) error {
		f.told = wire
		f.mu.Lock()
		answer := f.pending[p.ID()]
		delete(f.pending, p.ID())
		f.mu.Unlock()
		if answer == nil {
			return fmt.Errorf("sftp: an answer to nothing (%d)", p.ID())
		}
		<-f.slots
		answer(p)
		return nil
	})
	if !errors.Is(err, io.EOF) {
		f.s.c.log.Warn("sftp of the target ends", "err", err)
	}
	f.target.Close()
	f.mu.Lock()
	f.ended = true
	waiting := f.pending
	f.pending = nil
	f.mu.Unlock()
	for _, answer := range waiting {
		answer(nil)
	}
}

// send gives the target a request under a number of ours; answer gets nil when there will be none. It runs where
// responses are read, and must not wait for another.
func (f *sftpSession) send(r sftpwire.Request, answer func(sftpwire.Packet)) error {
	return f.sendWire(r.Encode(), answer)
}

// sendWire is send for a packet with its length in front, whose number is changed in place.
func (f *sftpSession) sendWire(wire []byte, answer func(sftpwire.Packet)) error {
	select {
	case f.slots <- struct{}{}:
	case <-f.s.ctx.Done():
		return errEnded
	}
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		return errEnded
	}
	sftpwire.SetID(wire, f.next)
	f.pending[f.next] = answer
	f.next++
	f.mu.Unlock()
	return f.s.c.sent.whole(f.target, wire)
}

// ask is send for those who can wait.
func (f *sftpSession) ask(r sftpwire.Request) (sftpwire.Response, error) {
	got := make(chan sftpwire.Packet, 1)
	if err := f.send(r, func(p sftpwire.Packet) { got <- append(sftpwire.Packet(nil), p...) }); err != nil {
		return sftpwire.Response{}, err
	}
	p := <-got
	if len(p) == 0 {
		return sftpwire.Response{}, errEnded
	}
	return sftpwire.ParseResponse(p)
}

// deliver records an answer and gives it to the client. shown is what the record has in its place.
func (f *sftpSession) deliver(ordinal uint64, packet, shown []byte) error {
	if shown == nil {
		shown = packet
	}
	var head [16]byte
	err := f.s.c.span.Commit(func(b *session.Batch) {
		b.Response(ordinal, sshwire.AppendDataHead(head[:0], f.s.number, len(shown)), shown)
	})
	if err != nil {
		f.target.Close()
		return err
	}
	f.s.writing.Lock()
	defer f.s.writing.Unlock()
	return f.s.c.raw.whole(f.s.client, packet)
}

// deny answers a request that does not go to the target.
func (f *sftpSession) deny(id, code uint32, words string) error {
	return f.deliver(0, sftpwire.StatusPacket(id, code, words), nil)
}

// forward records a request and gives it to the target; its answer goes to the client, after then has seen it.
func (f *sftpSession) forward(p gate.Passed, r *sftpwire.Request, shown []byte, then func(sftpwire.Response)) error {
	wire := f.asked
	if r.Handle == "" || r.Type == sftpwire.Extended || r.Excess { // the target gets a path that is real, and nothing that was not looked at
		wire = r.Encode()
	}
	if shown == nil {
		shown = wire
	}
	if err := f.s.c.recordRequest(p, f.s.number, shown); err != nil {
		return f.deny(r.ID, sftpwire.Failure, "dragoman: refused: it cannot be recorded")
	}
	id := r.ID
	return f.sendWire(wire, func(packet sftpwire.Packet) {
		if packet == nil {
			if then != nil {
				then(sftpwire.Response{Type: sftpwire.Status, Code: sftpwire.Failure, Words: "the target has ended"})
			}
			return
		}
		res, err := sftpwire.ParseResponse(packet)
		if err != nil {
			f.target.Close()
			return
		}
		if then != nil {
			then(res)
		}
		if res.Type == sftpwire.Name {
			err = f.maskNames(p, packet)
		}
		if err != nil {
			f.target.Close()
			return
		}
		sftpwire.SetID(f.told, id)
		if err := f.deliver(p.Ordinal, f.told, nil); err != nil {
			f.target.Close()
		}
	})
}

// closeAll records how what was left open ended.
func (f *sftpSession) closeAll() {
	f.mu.Lock()
	open := f.handles
	f.handles = map[string]*openFile{}
	f.mu.Unlock()
	for _, o := range open {
		o.end(f, record.Result{Status: "lost", Message: "it was not closed"})
	}
}
