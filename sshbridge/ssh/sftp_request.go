package ssh

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/sftpwire"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// request judges one request and passes it on, or says no. An error ends the channel.
func (f *sftpSession) request(r *sftpwire.Request) error {
	switch r.Type {
	case sftpwire.Open, sftpwire.Opendir:
		return f.open(r)
	case sftpwire.Read:
		return f.read(r)
	case sftpwire.Write:
		return f.write(r)
	case sftpwire.Close:
		return f.closeHandle(r)
	case sftpwire.Fstat, sftpwire.Readdir:
		return f.onHandle(r)
	case sftpwire.Fsetstat:
		return f.fsetstat(r)
	case sftpwire.Extended:
		switch {
		case !sftpwire.Known(r.Extension):
			return f.deny(r.ID, sftpwire.Unsupported, "dragoman: the extension is not supported")
		case r.Extension == sftpwire.ExtLimits:
			return f.forward(gate.Passed{}, r, nil, nil)
		case r.Extension == sftpwire.ExtFsync, r.Extension == sftpwire.ExtFstatvfs:
			return f.onHandle(r)
		}
	}
	return f.onPath(r)
}

// operation is what a request does with its paths.
type operation struct {
	verb          string
	follow        bool // the last name may be a link that is followed
	reads, writes bool
	both          bool // Path2 as well
}

func operationOf(r *sftpwire.Request) (operation, bool) {
	switch r.Type {
	case sftpwire.Lstat:
		return operation{verb: "stat", reads: true}, true
	case sftpwire.Stat, sftpwire.Realpath:
		return operation{verb: "stat", reads: true, follow: true}, true
	case sftpwire.Setstat:
		return operation{verb: "setstat", writes: true, follow: true}, true
	case sftpwire.Remove:
		return operation{verb: "remove", writes: true}, true
	case sftpwire.Mkdir:
		return operation{verb: "mkdir", writes: true}, true
	case sftpwire.Rmdir:
		return operation{verb: "rmdir", writes: true}, true
	case sftpwire.Readlink:
		return operation{verb: "readlink", reads: true}, true
	case sftpwire.Rename: // what is moved to where it may be read is read
		return operation{verb: "rename", reads: true, writes: true, both: true}, true
	case sftpwire.Symlink:
		return operation{verb: "symlink", reads: true, writes: true, both: true}, true
	}
	switch r.Extension {
	case sftpwire.ExtPosixRename:
		return operation{verb: "rename", reads: true, writes: true, both: true}, true
	case sftpwire.ExtHardlink:
		return operation{verb: "link", reads: true, writes: true, both: true}, true
	case sftpwire.ExtStatvfs:
		return operation{verb: "stat", reads: true, follow: true}, true
	case sftpwire.ExtLsetstat:
		return operation{verb: "setstat", writes: true}, true
	}
	return operation{}, false
}

// onPath is a request about paths alone.
func (f *sftpSession) onPath(r *sftpwire.Request) error {
	if r.Type == sftpwire.Realpath && (r.Path == "." || r.Path == "") { // every client begins with it
		return f.forward(gate.Passed{}, r, nil, nil)
	}
	op, ok := operationOf(r)
	if !ok {
		return f.deny(r.ID, sftpwire.Unsupported, "dragoman: the operation is not supported")
	}
	act := gate.Plain(action.KindSFTP, op.verb, op.verb)
	first, err := f.resolve(r.Path, op.follow)
	if err != nil {
		return f.cannot(r, err)
	}
	add(&act, first, op.reads, op.writes)
	var second place
	text := first.real
	if op.both {
		if second, err = f.resolve(r.Path2, false); err != nil {
			return f.cannot(r, err)
		}
		if r.Type == sftpwire.Symlink { // OpenSSH has what the link holds first, then the link; relative to the link's folder
			held := r.Path
			if !strings.HasPrefix(held, "/") {
				held = path.Dir(second.real) + "/" + held
			}
			if first, err = f.resolve(held, true); err != nil {
				return f.cannot(r, err)
			}
			act.Reads, act.Writes = []action.Object{}, []action.Object{}
			add(&act, first, true, true)
		}
		add(&act, second, false, true)
		text = first.real + " -> " + second.real
	}
	act.Text = op.verb + " " + text
	if !attributes(&act, r.Rest) {
		return f.deny(r.ID, sftpwire.BadMessage, "dragoman: the attributes cannot be read")
	}
	p, err := f.s.c.pass(f.s.ctx, act, gate.Digest("sftp", op.verb, first.real, second.real, string(r.Rest)), f.s.tell)
	if err != nil {
		return f.cannot(r, err)
	}
	if r.Type != sftpwire.Symlink {
		r.Path = first.real
	}
	if op.both {
		r.Path2 = second.real
	}
	return f.forward(p, r, nil, func(res sftpwire.Response) { f.s.c.result(p, resultOf(res)) })
}

// add adds a place as an object: the path that is real, and the one that was named, where they differ.
func add(act *action.Action, p place, reads, writes bool) {
	for _, name := range []string{p.real, p.named} {
		o := action.Object{Name: name, Columns: []string{}, Resolved: name == p.real}
		if reads && !has(act.Reads, name) {
			act.Reads = append(act.Reads, o)
		}
		if writes && !has(act.Writes, name) {
			act.Writes = append(act.Writes, o)
		}
	}
}

func has(list []action.Object, name string) bool {
	for _, o := range list {
		if o.Name == name {
			return true
		}
	}
	return false
}

// attributes shows policy which attributes are set; false when they cannot be read.
func attributes(act *action.Action, rest []byte) bool {
	if len(rest) == 0 {
		return true
	}
	text, ok := sftpwire.DescribeAttrs(rest)
	if text != "" {
		act.Text += " " + text
		act.Params = append(act.Params, action.Param{Name: "attributes", Value: text})
	}
	return ok
}

// cannot says no in the protocol's words; what is not a refusal ends the channel.
func (f *sftpSession) cannot(r *sftpwire.Request, err error) error {
	var no *gate.Refusal
	if !errors.As(err, &no) {
		return err
	}
	f.s.tell(no.Words) // OpenSSH's client shows nothing of a status but its code
	return f.deny(r.ID, sftpwire.PermissionDenied, no.Error())
}

func resultOf(res sftpwire.Response) record.Result {
	if res.Type != sftpwire.Status || res.Code == sftpwire.OK || res.Code == sftpwire.EOF {
		return record.Result{Status: "ok"}
	}
	return record.Result{Status: "error", Code: fmt.Sprint(res.Code), Message: gate.Printable(res.Words, 512)}
}

// open opens a file or a folder.
func (f *sftpSession) open(r *sftpwire.Request) error {
	at, err := f.resolve(r.Path, true)
	if err != nil {
		return f.cannot(r, err)
	}
	f.mu.Lock()
	full := len(f.handles) >= maxHandles
	f.mu.Unlock()
	if full {
		return f.deny(r.ID, sftpwire.Failure, "dragoman: too many open files")
	}
	act := gate.Plain(action.KindSFTP, "list", "list "+at.real)
	if r.Type == sftpwire.Open {
		act = openAction(r.Flags, at)
		if r.Flags&sftpwire.FlagCreate != 0 && !attributes(&act, r.Rest) {
			return f.deny(r.ID, sftpwire.BadMessage, "dragoman: the attributes cannot be read")
		}
	} else {
		add(&act, at, true, false)
	}
	p, err := f.s.c.pass(f.s.ctx, act, gate.Digest("sftp", act.Text, fmt.Sprint(r.Flags), string(r.Rest)), f.s.tell)
	if err != nil {
		return f.cannot(r, err)
	}
	plan, err := f.s.c.gate.Plan(&f.s.c.server.plans, p)
	if err != nil {
		f.s.c.result(p, record.Result{Status: "error", Message: "its masks are not good"})
		return f.deny(r.ID, sftpwire.Failure, "dragoman: its masks are not good")
	}
	r.Path = at.real
	o := &openFile{path: at.real, p: p, dir: r.Type == sftpwire.Opendir, plan: plan}
	return f.forward(p, r, nil, func(res sftpwire.Response) {
		if res.Type != sftpwire.Handle || res.Handle == "" {
			f.s.c.result(p, resultOf(res))
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.handles[res.Handle] = o
	})
}

// openAction is the opening of a file: what its flags let the client do is what it does.
func openAction(flags uint32, at place) action.Action {
	act := gate.Plain(action.KindSFTP, "open", "open "+at.real)
	reads := flags&sftpwire.FlagRead != 0
	writes := flags&(sftpwire.FlagWrite|sftpwire.FlagAppend|sftpwire.FlagCreate|sftpwire.FlagTrunc) != 0
	if reads || !writes {
		act.Verbs, act.Text = append(act.Verbs, "read"), act.Text+" for reading"
	}
	if writes {
		act.Verbs, act.Text = append(act.Verbs, "write"), act.Text+" for writing"
		act.Features["create"] = flags&sftpwire.FlagCreate != 0
		act.Features["truncate"] = flags&sftpwire.FlagTrunc != 0
	}
	add(&act, at, reads || !writes, writes)
	act.Fingerprint = action.KindSFTP + " " + strings.Join(act.Verbs, " ")
	return act
}

func (f *sftpSession) handle(name string) *openFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.handles[name]
}

// onHandle is a request about what is open, which was judged when it was opened.
func (f *sftpSession) onHandle(r *sftpwire.Request) error {
	o := f.handle(r.Handle)
	if o == nil || r.Type == sftpwire.Readdir && !o.dir {
		return f.deny(r.ID, sftpwire.Failure, "dragoman: no such handle")
	}
	return f.forward(o.p, r, nil, nil)
}

// fsetstat changes the attributes of an open file.
func (f *sftpSession) fsetstat(r *sftpwire.Request) error {
	o := f.handle(r.Handle)
	if o == nil {
		return f.deny(r.ID, sftpwire.Failure, "dragoman: no such handle")
	}
	act := gate.Plain(action.KindSFTP, "setstat", "setstat "+o.path)
	add(&act, place{real: o.path, named: o.path}, false, true)
	if !attributes(&act, r.Rest) {
		return f.deny(r.ID, sftpwire.BadMessage, "dragoman: the attributes cannot be read")
	}
	p, err := f.s.c.pass(f.s.ctx, act, gate.Digest("sftp", act.Text, string(r.Rest)), f.s.tell)
	if err != nil {
		return f.cannot(r, err)
	}
	return f.forward(p, r, nil, func(res sftpwire.Response) { f.s.c.result(p, resultOf(res)) })
}

// closeHandle ends what is open; the result has what went through it.
func (f *sftpSession) closeHandle(r *sftpwire.Request) error {
	f.mu.Lock()
	o := f.handles[r.Handle]
	delete(f.handles, r.Handle)
	f.mu.Unlock()
	if o == nil {
		return f.deny(r.ID, sftpwire.Failure, "dragoman: no such handle")
	}
	return f.forward(o.p, r, nil, func(res sftpwire.Response) { o.end(f, resultOf(res)) })
}
