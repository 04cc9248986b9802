package ssh

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"sync"

	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sftpwire"
	"dragoman.dev/dragoman/sshbridge/gate"
)

const (
	// around is how many bytes before and behind what a client reads are looked at for values that cross its border.
	around = 4096
	// maxRead is how much is read at a time; a target that gives less is asked again by the client.
	maxRead = sftpwire.MaxPacket - 1024
)

// stream follows one direction of a file's content.
type stream struct {
	mu     sync.Mutex
	sum    hash.Hash
	next   uint64 // where the content that is hashed ends
	bytes  int64
	masked int64
	gaps   bool // it did not come in order, so there is no digest of it
}

func (s *stream) add(offset uint64, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sum == nil {
		s.sum = sha256.New()
	}
	s.bytes += int64(len(b))
	if offset != s.next {
		s.gaps = true
		return
	}
	s.sum.Write(b)
	s.next += uint64(len(b))
}

// digest is the SHA-256 of the content, "" when there was none, or when it did not come from the beginning and in order.
func (s *stream) digest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sum == nil || s.gaps {
		return ""
	}
	return "sha256:" + hex.EncodeToString(s.sum.Sum(nil))
}

// end records how an open file ended.
func (o *openFile) end(f *sftpSession, r record.Result) {
	r.Bytes, r.Masked = o.read.bytes, o.read.masked
	switch got, sent := o.read.digest(), o.sent.digest(); {
	case sent != "":
		r.Bytes, r.Tag = o.sent.bytes, "written "+sent
	case got != "":
		r.Tag = "read " + got
	case o.sent.bytes > 0:
		r.Bytes, r.Tag = o.sent.bytes, "written out of order"
	case o.read.bytes > 0:
		r.Tag = "read out of order"
	}
	f.s.c.result(o.p, r)
}

// write passes content on to the target.
func (f *sftpSession) write(r *sftpwire.Request) error {
	o := f.handle(r.Handle)
	if o == nil || o.dir {
		return f.deny(r.ID, sftpwire.Failure, "dragoman: no such handle")
	}
	o.sent.add(r.Offset, r.Data)
	var shown []byte
	if !f.s.c.target.KeepFiles {
		empty := *r
		empty.Data = nil
		shown = empty.Encode()
	}
	return f.forward(o.p, r, shown, nil)
}

// read passes content on to the client. Where masks are in force, more is read than was asked for, so
// that a value which crosses the border is found, and what is found is starred out in place: a file keeps its length.
func (f *sftpSession) read(r *sftpwire.Request) error {
	o := f.handle(r.Handle)
	if o == nil || o.dir {
		return f.deny(r.ID, sftpwire.Failure, "dragoman: no such handle")
	}
	asked := *r
	if asked.Length > maxRead {
		asked.Length = maxRead
	}
	wide := asked
	before := uint64(0)
	if o.plan.HasText() {
		before = min(asked.Offset, around)
		wide.Length = min(asked.Length, maxRead-2*around) + uint32(before) + around
		asked.Length = min(asked.Length, maxRead-2*around)
		wide.Offset -= before
	}
	if err := f.s.c.recordRequest(o.p, f.s.number, f.asked); err != nil {
		return f.deny(r.ID, sftpwire.Failure, "dragoman: refused: it cannot be recorded")
	}
	return f.send(wide, func(p sftpwire.Packet) {
		if p == nil {
			return
		}
		if err := f.answerRead(o, &asked, before, p); err != nil {
			f.target.Close()
		}
	})
}

// answerRead gives the client what it asked for of what was read.
func (f *sftpSession) answerRead(o *openFile, r *sftpwire.Request, before uint64, p sftpwire.Packet) error {
	res, err := sftpwire.ParseResponse(p)
	if err != nil {
		return err
	}
	sftpwire.SetID(f.told, r.ID)
	if res.Type != sftpwire.Data {
		return f.deliver(o.p.Ordinal, f.told, nil)
	}
	packet := f.told // as it is, where nothing was masked
	data := res.Data
	if o.plan.HasText() {
		masked := stars(o.plan, data, "\n\r")
		if uint64(len(data)) <= before {
			return f.deliver(o.p.Ordinal, sftpwire.StatusPacket(r.ID, sftpwire.EOF, "end of file"), nil)
		}
		data = data[before:min(uint64(len(data)), before+uint64(r.Length))]
		o.read.mu.Lock()
		o.read.masked += masked
		o.read.mu.Unlock()
	}
	o.read.add(r.Offset, data)
	if o.plan.HasText() {
		packet = sftpwire.DataPacket(r.ID, data)
	}
	if f.s.c.target.KeepFiles {
		return f.deliver(o.p.Ordinal, packet, nil)
	}
	return f.deliver(o.p.Ordinal, packet, sftpwire.DataPacket(r.ID, nil))
}

// stars hides what the detectors find, but for the bytes to keep.
func stars(plan *mask.Plan, data []byte, keep string) (n int64) {
	text := append([]byte(nil), data...)
	for at := 0; ; n++ {
		m, ok := plan.Find(text, at)
		if !ok {
			return n
		}
		for i := m.Start; i < m.End; i++ {
			if strings.IndexByte(keep, data[i]) < 0 {
				data[i] = '*'
			}
		}
		at = m.End
	}
}

// maskNames hides what the detectors find in the names of an answer.
func (f *sftpSession) maskNames(p gate.Passed, packet sftpwire.Packet) error {
	plan, err := f.s.c.gate.Plan(&f.s.c.server.plans, p)
	if err != nil || !plan.HasText() {
		return err
	}
	return sftpwire.EachName(packet, func(name []byte) { stars(plan, name, "/") })
}
