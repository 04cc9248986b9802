package rdp

import (
	"bytes"
	"errors"
	"strings"
	"sync"

	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/sshbridge/front"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// side is who has sent something.
type side int

const (
	ofClient side = iota
	ofTarget
)

func (s side) other() side { return 1 - s }

// Formats of the clipboard that are passed on. Others (pictures, rich text, what programs make up) cannot be read here, so
// they are taken out of what a side offers.
const (
	formatText = 13 // CF_UNICODETEXT
	fileList   = "FileGroupDescriptorW"
)

// isFileList also knows the name where it is cut to 32 bytes, with or without a NUL.
func isFileList(name string) bool {
	const short = 15
	return len(name) >= short && strings.HasPrefix(fileList, name)
}

// Bounds of the clipboard.
const (
	maxClip     = 8 << 20 // bytes of a message
	maxPending  = 16      // requests for parts of files that are open
	maxFileList = 4096    // files that are offered at a time
)

// clipboard passes on the clipboard's messages (MS-RDPECLIP). What is offered is passed on at once; what is asked for is
// judged with its answer, before that is delivered.
type clipboard struct {
	c      *conn
	here   uint16 // the channel's id at the client
	passed gate.Passed

	there uint16 // at the target; set before anything comes

	mu    sync.Mutex
	sides [2]clipSide
	work  sync.WaitGroup
}

// clipSide is what a side has said.
type clipSide struct {
	joiner    rdpwire.Joiner
	long      bool
	version   uint64             // of what it offers: another one for each list of formats, and of files
	files     uint32             // the id of its format with files; 0: none
	text      bool               // it offers text
	list      []byte             // the message with the files that it offers
	offered   []rdpwire.File     // these
	judged    map[uint32]verdict // of these, by index, that were judged
	wants     uint32             // the format that it asked for; 0: nothing is asked for
	wanted    uint64             // of which version
	answering bool               // its answer has come, and is being judged
	streams   map[uint32]stream  // parts of files that it asked for
}

// stream is an answer that is awaited. Until the file is judged, passed is none.
type stream struct {
	passed  gate.Passed
	version uint64 // of what was offered when it was asked for
	most    int    // bytes that the answer may have
}

func newClipboard(c *conn, here uint16, p gate.Passed) *clipboard {
	k := &clipboard{c: c, here: here, passed: p}
	for i := range k.sides {
		k.sides[i].joiner.Max = maxClip
		k.sides[i].streams = map[uint32]stream{}
	}
	return k
}

// attach says which channel it is at the target.
func (k *clipboard) attach(there uint16) { k.there = there }

// receive takes the data of a channel PDU of a side. Each side has one reader.
func (k *clipboard) receive(from side, data []byte) error {
	if k.c.upstream() == nil {
		return nil
	}
	b, err := k.sides[from].joiner.Add(data)
	if err != nil || b == nil {
		return err
	}
	m, err := rdpwire.ParseClip(b)
	if err != nil {
		return err
	}
	switch m.Kind {
	case rdpwire.ClipCapabilities:
		k.mu.Lock()
		k.sides[from].long = rdpwire.ClipLongNames(m.Body)
		k.mu.Unlock()
		m.Body = rdpwire.TrimClipCapabilities(m.Body)
		return k.send(from, k.passed, m)
	case rdpwire.ClipReady, rdpwire.ClipLock, rdpwire.ClipUnlock:
		return k.send(from, k.passed, m)
	case rdpwire.ClipFormats:
		return k.formats(from, m)
	case rdpwire.ClipFormatsAnswer:
		m.Body = nil
		return k.send(from, k.passed, m)
	case rdpwire.ClipDataRequest:
		return k.ask(from, m)
	case rdpwire.ClipDataResponse:
		return k.answer(from, m)
	case rdpwire.ClipContentRequest:
		return k.askContent(from, m)
	case rdpwire.ClipContentResponse:
		return k.answerContent(from, m)
	}
	return nil // where the client keeps its files is not told
}

// formats passes on what a side offers, without what is not passed on.
func (k *clipboard) formats(from side, m rdpwire.Clip) error {
	k.mu.Lock()
	s := &k.sides[from]
	long := s.long && k.sides[from.other()].long
	list, err := rdpwire.ParseFormats(m, long)
	if err != nil {
		k.mu.Unlock()
		return err
	}
	s.version++
	s.files, s.text, s.list, s.offered, s.judged = 0, false, nil, nil, nil
	var out []rdpwire.Format
	for _, f := range list {
		switch {
		case f.ID == formatText && !s.text:
			s.text = true
			out = append(out, rdpwire.Format{ID: formatText})
		case isFileList(f.Name) && s.files == 0 && f.ID != 0 && f.ID != formatText:
			s.files = f.ID
			out = append(out, f)
		}
	}
	k.mu.Unlock()
	return k.send(from, k.passed, rdpwire.Clip{Kind: m.Kind, Body: rdpwire.AppendFormats(nil, out, long)})
}

// ask passes on a request for what the other side offers.
func (k *clipboard) ask(from side, m rdpwire.Clip) error {
	id, err := rdpwire.ClipNumber(m.Body)
	if err != nil {
		return err
	}
	k.mu.Lock()
	offers, s := &k.sides[from.other()], &k.sides[from]
	ok := s.wants == 0 && id != 0 && (id == formatText && offers.text || id == offers.files)
	if ok {
		s.wants, s.wanted = id, offers.version
	}
	k.mu.Unlock()
	if !ok {
		return k.fail(from, rdpwire.ClipDataResponse, nil)
	}
	return k.send(from, k.passed, m)
}

// answer judges what the other side has asked for.
func (k *clipboard) answer(from side, m rdpwire.Clip) error {
	to := from.other()
	k.mu.Lock()
	id, version, files, second := k.sides[to].wants, k.sides[to].wanted, k.sides[from].files, k.sides[to].answering
	k.sides[to].answering = id != 0
	k.mu.Unlock()
	switch {
	case id == 0 || second:
		return nil // nobody has asked, or has an answer
	case m.Flags&rdpwire.ClipOK == 0:
		k.answered(to)
		return k.fail(to, rdpwire.ClipDataResponse, nil)
	}
	body := bytes.Clone(m.Body)
	k.spawn(func() error {
		defer k.answered(to)
		if id == files && id != formatText {
			return k.fileList(from, version, body)
		}
		return k.text(from, body)
	})
	return nil
}

// answered lets a side ask for something else.
func (k *clipboard) answered(who side) {
	k.mu.Lock()
	k.sides[who].wants, k.sides[who].answering = 0, false
	k.mu.Unlock()
}

// spawn does what may wait for people, so that the rest goes on.
func (k *clipboard) spawn(do func() error) {
	k.work.Go(func() {
		defer front.Caught(k.c.server.opt.Log, "an RDP clipboard")
		if err := do(); err != nil && k.c.ctx.Err() == nil {
			k.c.log.Warn("the clipboard fails", "err", err)
			k.c.end("protocol", "a message of the clipboard cannot be passed on")
		}
	})
}

// send records a message and passes it on to the side that has not sent it.
func (k *clipboard) send(from side, p gate.Passed, m rdpwire.Clip) error {
	return k.write(from.other(), p, m)
}

// fail tells a side that it does not get what it asked for.
func (k *clipboard) fail(to side, kind uint16, body []byte) error {
	return k.write(to, k.passed, rdpwire.Clip{Kind: kind, Flags: rdpwire.ClipFail, Body: body})
}

func (k *clipboard) write(to side, p gate.Passed, m rdpwire.Clip) error {
	var pdus [][]byte
	w := k.c.client
	if to == ofTarget {
		if w = k.c.upstream(); w == nil {
			return nil
		}
	}
	err := rdpwire.Chunks(rdpwire.AppendClip(nil, m), func(b []byte) error {
		if to == ofClient {
			pdus = append(pdus, k.c.toClient(k.here, b))
		} else {
			d := rdpwire.Domain{Kind: rdpwire.SendRequest, User: k.c.targetUser, Channel: k.there, Data: b}
			pdus = append(pdus, rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, d)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := k.c.gate.Record(p, to == ofTarget, bytes.Join(pdus, nil)); err != nil {
		return errors.Join(errors.New("the clipboard cannot be recorded"), err)
	}
	return w.write(pdus...)
}
