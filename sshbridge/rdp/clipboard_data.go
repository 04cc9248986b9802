package rdp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/mask"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/session"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// maxShown bounds how much of a text policy and people see. What is approved is bound to all of it.
const maxShown = 16 << 10

// transfer is the action of carrying something over: it is written at the target, or read from it.
func transfer(from side, schema, name, what string) action.Action {
	verb := "read"
	if from == ofClient {
		verb = "write"
	}
	return channelAction(verb, schema, name, verb+" "+what, from == ofClient)
}

// text judges a text, masks what comes from the target, and delivers it.
func (k *clipboard) text(from side, body []byte) error {
	text := rdpwire.Text(body)
	act := transfer(from, ofClipboard, "text", fmt.Sprintf("clipboard text of %d characters", len([]rune(text))))
	act.Features["bytes"] = len(text)
	if from == ofClient { // what the client has it may show; what the target has is not masked yet
		act.Params = append(act.Params, action.Param{Name: "text", Value: gate.Printable(text, maxShown)})
		if len(text) > maxShown {
			act.Features["cut"] = true
		}
	}
	p, plan, err := k.pass(act, gate.Digest("clipboard", strconv.Itoa(int(from)), text), ofText)
	if err != nil {
		return k.refused(from, err, rdpwire.ClipDataResponse, nil)
	}
	masked := 0
	if from == ofTarget && plan.HasText() {
		var out []byte
		out, masked = plan.Scrub(nil, []byte(text))
		text = string(out)
	}
	m := rdpwire.Clip{Kind: rdpwire.ClipDataResponse, Flags: rdpwire.ClipOK, Body: append(rdpwire.AppendText(nil, text), 0, 0)}
	if err := k.send(from, p, m); err != nil {
		return err
	}
	k.c.gate.Result(p, record.Result{Status: "ok", Bytes: int64(len(text)), Masked: int64(masked)})
	return nil
}

// content is what a transfer carries.
type content uint8

const (
	ofText  content = iota
	ofBytes         // which detectors do not read
)

// pass judges a transfer. What detectors apply to and cannot read is refused.
func (k *clipboard) pass(act action.Action, digest string, what content) (gate.Passed, *mask.Plan, error) {
	g := k.c.gate
	away := func() {}
	p, err := g.Pass(k.c.ctx, act, digest, func(words string) { away = k.c.notice(words) })
	away()
	if err != nil {
		return p, nil, err
	}
	plan, err := g.Plan(&k.c.server.plans, p)
	if err == nil && what == ofBytes && plan.HasText() && !plan.PassOpaque() {
		err = &gate.Refusal{Words: "masks with detectors apply, and files cannot be masked"}
	}
	if err != nil {
		g.Result(p, record.Result{Status: "blocked", Message: "it cannot be masked"})
	}
	return p, plan, err
}

// refused answers for the side that does not get to answer.
func (k *clipboard) refused(from side, err error, kind uint16, body []byte) error {
	var no *gate.Refusal
	if !errors.As(err, &no) {
		return err
	}
	k.c.log.Info("the clipboard is refused", "words", no.Words)
	return k.fail(from.other(), kind, body)
}

// fileList passes on which files a side offers. Each is judged when it is asked for. A list that was asked of an older version of
// the clipboard is not: its numbers would be those of other files.
func (k *clipboard) fileList(from side, version uint64, body []byte) error {
	files, err := rdpwire.ParseFiles(body)
	if err == nil && len(files) > maxFileList {
		err = fmt.Errorf("rdp: %d files on the clipboard", len(files))
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		if !staysInside(f.Name) {
			return errors.Join(k.leads(f.Name), k.fail(from.other(), rdpwire.ClipDataResponse, nil))
		}
	}
	k.mu.Lock()
	s := &k.sides[from]
	old := s.version != version
	if !old && !bytes.Equal(s.list, body) { // the same list again changes nothing
		s.version++
		s.list, s.offered, s.judged = body, files, map[uint32]verdict{}
	}
	k.mu.Unlock()
	if old {
		return k.fail(from.other(), rdpwire.ClipDataResponse, nil)
	}
	return k.send(from, k.passed, rdpwire.Clip{Kind: rdpwire.ClipDataResponse, Flags: rdpwire.ClipOK, Body: body})
}

// askContent judges a file when a part of it is asked for the first time.
func (k *clipboard) askContent(from side, m rdpwire.Clip) error {
	r, err := rdpwire.ParseContent(m.Body)
	if err != nil {
		return err
	}
	owner := from.other()
	k.mu.Lock()
	offered, version := k.sides[owner].offered, k.sides[owner].version
	_, twice := k.sides[from].streams[r.Stream]
	ok := int64(r.Index) < int64(len(offered)) && len(k.sides[from].streams) < maxPending && !twice && r.Count <= maxClip/2
	if ok {
		k.sides[from].streams[r.Stream] = stream{version: version}
	}
	k.mu.Unlock()
	if !ok {
		return k.fail(from, rdpwire.ClipContentResponse, le32(r.Stream))
	}
	file := offered[r.Index]
	k.spawn(func() error {
		p, err := k.judgeFile(owner, version, r.Index, file)
		k.mu.Lock()
		if err == nil && k.sides[owner].version != version {
			err = &gate.Refusal{Words: "the clipboard has other files by now"}
		}
		if err != nil {
			delete(k.sides[from].streams, r.Stream)
		} else {
			k.sides[from].streams[r.Stream] = stream{p, version, most(r, file)}
		}
		k.mu.Unlock()
		if err != nil {
			return k.refused(owner, err, rdpwire.ClipContentResponse, le32(r.Stream))
		}
		return k.send(from, p, rdpwire.Clip{Kind: m.Kind, Body: rdpwire.AppendContent(nil, r)})
	})
	return nil
}

// most is how many bytes answer a request: what was asked for, and no more than the file was judged to have.
func most(r rdpwire.Content, f rdpwire.File) int {
	const size = 8
	switch {
	case r.Size:
		return size
	case !f.Sized:
		return int(r.Count)
	case r.Offset >= f.Size:
		return 0
	}
	return int(min(uint64(r.Count), f.Size-r.Offset))
}

// staysInside reports whether a file's name is one below the folder that it is pasted into, whatever a program makes of it.
func staysInside(name string) bool {
	if len(name) > 1 && name[1] == ':' || strings.ContainsFunc(name, unicode.IsControl) {
		return false
	}
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '\\' || r == '/' }) {
		if strings.Trim(part, ". ") == "" { // Windows leaves out dots and spaces at a name's end
			return false
		}
	}
	return name != "" && !strings.ContainsAny(name[:1], `\/`)
}

// leads notes that a list of files is not passed on, because of a name in it.
func (k *clipboard) leads(name string) error {
	return k.c.span.Commit(func(b *session.Batch) {
		b.Frame(record.KindNote, 0, record.Note{What: "a list of files is not passed on: a name leads out of the folder", Detail: map[string]any{"name": gate.Printable(name, 1024)}})
	})
}

// verdict is how a file was judged.
type verdict struct {
	passed gate.Passed
	err    error
}

// judgeFile judges a file of a version once. Later parts of it are of the same action.
func (k *clipboard) judgeFile(owner side, version uint64, index uint32, f rdpwire.File) (gate.Passed, error) {
	k.mu.Lock()
	v, ok := k.sides[owner].judged[index]
	ok = ok && k.sides[owner].version == version
	k.mu.Unlock()
	if ok {
		return v.passed, v.err
	}
	size := "unknown size"
	if f.Sized {
		size = fmt.Sprintf("%d bytes", f.Size)
	}
	act := transfer(owner, ofFile, f.Name, fmt.Sprintf("file %s of %s by the clipboard", gate.Printable(f.Name, 1024), size))
	if f.Sized {
		act.Features["bytes"] = f.Size
	}
	p, _, err := k.pass(act, gate.Digest("file", strconv.Itoa(int(owner)), f.Name, strconv.FormatUint(f.Size, 10)), ofBytes)
	k.mu.Lock()
	if k.sides[owner].version == version {
		k.sides[owner].judged[index] = verdict{p, err}
	}
	k.mu.Unlock()
	return p, err
}

// answerContent passes on a part of a file that was asked for.
func (k *clipboard) answerContent(from side, m rdpwire.Clip) error {
	id, err := rdpwire.ClipNumber(m.Body)
	if err != nil {
		return err
	}
	to := from.other()
	k.mu.Lock()
	s, ok := k.sides[to].streams[id]
	if ok && s.passed.Ordinal != 0 {
		delete(k.sides[to].streams, id)
	}
	old := k.sides[from].version != s.version
	k.mu.Unlock()
	switch {
	case !ok || s.passed.Ordinal == 0:
		return nil // nobody has asked for it, or nobody may yet
	case old: // what comes may be of a file that was not judged
		return k.fail(to, rdpwire.ClipContentResponse, le32(id))
	case len(m.Body)-4 > s.most:
		return fmt.Errorf("rdp: %d bytes of a file, of %d that may come", len(m.Body)-4, s.most)
	}
	return k.send(from, s.passed, m)
}
