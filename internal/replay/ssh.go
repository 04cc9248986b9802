package replay

import (
	"encoding/binary"
	"fmt"

	"dragoman.dev/dragoman/internal/sftpwire"
	"dragoman.dev/dragoman/internal/sshwire"
)

// sshChannels decodes what the bridge has recorded of SSH channels: one message a frame.
type sshChannels struct {
	files map[uint32]*[2]sftpwire.Framer // channels with file transfer: requests and responses
}

func newSSH() *sshChannels { return &sshChannels{files: map[uint32]*[2]sftpwire.Framer{}} }

// maxFiles bounds the channels that are followed.
const maxFiles = 1024

// Request implements Protocol.
func (s *sshChannels) Request(b []byte, emit func(Event) error) error { return s.message(b, 0, emit) }

// Response implements Protocol.
func (s *sshChannels) Response(b []byte, emit func(Event) error) error { return s.message(b, 1, emit) }

func (s *sshChannels) message(b []byte, side int, emit func(Event) error) error {
	m, err := sshwire.Parse(b)
	if err != nil {
		return emit(Event{Message: "undecoded", Fields: map[string]any{"bytes": len(b)}})
	}
	fields := map[string]any{"channel": m.Channel}
	switch m.Number {
	case sshwire.MsgData:
		if f := s.files[m.Channel]; f != nil {
			return s.packets(&f[side], m, side, emit)
		}
		return emit(Event{Message: [2]string{"stdin", "stdout"}[side], Data: m.Data, Fields: fields})
	case sshwire.MsgExtended:
		return emit(Event{Message: "stderr", Data: m.Data, Fields: fields})
	case sshwire.MsgEOF:
		return emit(Event{Message: "eof", Fields: fields})
	case sshwire.MsgClose:
		return emit(Event{Message: "close", Fields: fields})
	}
	s.request(m, fields)
	return emit(Event{Message: m.Request, Fields: fields})
}

// request adds what a request says.
func (s *sshChannels) request(m sshwire.Message, fields map[string]any) {
	switch m.Request {
	case "pty-req":
		if p, err := sshwire.ParsePTY(m.Payload); err == nil {
			fields["term"], fields["columns"], fields["rows"] = p.Term, p.Columns, p.Rows
		}
	case "window-change":
		if w, err := sshwire.ParseWindow(m.Payload); err == nil {
			fields["columns"], fields["rows"] = w.Columns, w.Rows
		}
	case "exit-status":
		if len(m.Payload) == 4 {
			fields["status"] = binary.BigEndian.Uint32(m.Payload)
		}
	case "exec", "attach", "portforward":
		if what, _, ok := sshwire.String(m.Payload); ok {
			fields["what"] = bytesValue(what)
		}
	case "signal", "exit-signal", "subsystem":
		if name, _, ok := sshwire.String(m.Payload); ok {
			fields["name"] = string(name)
			if m.Request == "subsystem" && string(name) == "sftp" && len(s.files) < maxFiles {
				s.files[m.Channel] = &[2]sftpwire.Framer{}
			}
		}
	}
}

// packets decodes the packets of a file transfer. Content is in the frames; here is how much.
func (s *sshChannels) packets(f *sftpwire.Framer, m sshwire.Message, side int, emit func(Event) error) error {
	f.Add(m.Data)
	for {
		p, err := f.Next()
		if err != nil { // it cannot be followed any more
			delete(s.files, m.Channel)
			return emit(Event{Message: "undecoded", Fields: map[string]any{"bytes": len(m.Data)}})
		}
		if p == nil {
			return nil
		}
		if err := emit(sftpEvent(p, side, m.Channel)); err != nil {
			return err
		}
	}
}

func sftpEvent(p sftpwire.Packet, side int, channel uint32) Event {
	fields := map[string]any{"channel": channel, "id": p.ID(), "type": p.Type()}
	set := func(name, v string) {
		if v != "" {
			fields[name] = bytesValue([]byte(v))
		}
	}
	if side == 0 {
		r, err := sftpwire.ParseRequest(p)
		if err != nil {
			return Event{Message: "undecoded", Fields: fields}
		}
		set("path", r.Path)
		set("path2", r.Path2)
		set("handle", r.Handle)
		set("extension", r.Extension)
		if r.Type == sftpwire.Read || r.Type == sftpwire.Write {
			fields["offset"], fields["bytes"] = r.Offset, max(int(r.Length), len(r.Data))
		}
		return Event{Message: "sftp " + sftpNames[r.Type], Fields: fields}
	}
	r, err := sftpwire.ParseResponse(p)
	if err != nil {
		return Event{Message: "undecoded", Fields: fields}
	}
	set("handle", r.Handle)
	set("words", r.Words)
	switch r.Type {
	case sftpwire.Status:
		fields["code"] = r.Code
	case sftpwire.Data:
		fields["bytes"] = len(r.Data)
	case sftpwire.Name:
		fields["names"] = r.Names
	}
	return Event{Message: "sftp " + sftpNames[r.Type], Fields: fields}
}

var sftpNames = map[byte]string{sftpwire.Open: "open", sftpwire.Close: "close", sftpwire.Read: "read", sftpwire.Write: "write", sftpwire.Lstat: "lstat",
	sftpwire.Fstat: "fstat", sftpwire.Setstat: "setstat", sftpwire.Fsetstat: "fsetstat", sftpwire.Opendir: "opendir", sftpwire.Readdir: "readdir",
	sftpwire.Remove: "remove", sftpwire.Mkdir: "mkdir", sftpwire.Rmdir: "rmdir", sftpwire.Realpath: "realpath", sftpwire.Stat: "stat", sftpwire.Rename: "rename",
	sftpwire.Readlink: "readlink", sftpwire.Symlink: "symlink", sftpwire.Extended: "extended", sftpwire.Status: "status", sftpwire.Handle: "handle",
	sftpwire.Data: "data", sftpwire.Name: "name", sftpwire.Attrs: "attrs", sftpwire.ExtendedReply: "extended reply"}

// fmtSize is a terminal's size.
func fmtSize(w sshwire.Window) string { return fmt.Sprintf("%dx%d", w.Columns, w.Rows) }
