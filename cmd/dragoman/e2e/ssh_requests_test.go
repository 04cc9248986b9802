package e2e

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/sftpwire"
)

// TestSSHRequests: requests of SFTP and scp that no honest client would send. None reaches what no rule allows, and a stream that
// cannot be followed ends its channel, not the connection's others.
func TestSSHRequests(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir, out := top+"/in", top+"/out"
	for _, err := range []error{os.MkdirAll(dir+"/sub/deep", 0o700), os.MkdirAll(out+"/bad\nname", 0o700), os.Symlink(out, dir+"/link"), os.Symlink(out+"/secret", dir+"/file"),
		os.Symlink(out+"/bad\nname", dir+"/odd"), os.WriteFile(dir+"/mine", []byte("mine"), 0o600), os.WriteFile(out+"/secret", []byte("TOPSECRET"), 0o600),
		os.WriteFile(out+"/bad\nname/secret", []byte("TOPSECRET"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := newSSH(t, sshSetup{rules: filesRules(dir)})
	c := r.dial(r.token("ops"))
	f := newRawSFTP(t, c)
	none := []byte{0, 0, 0, 0}
	mode := func(bits uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0, 0, 0, 4}, bits) }
	n := 0
	denied := func(what string, res sftpwire.Response) {
		t.Helper()
		if n++; res.Type == sftpwire.Status && res.Code != sftpwire.OK {
			return
		}
		t.Errorf("%s: %+v", what, res)
	}
	str := func(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }
	ext := func(name string, fields ...string) sftpwire.Request {
		var rest []byte
		for _, s := range fields {
			rest = append(rest, str(s)...)
		}
		return sftpwire.Request{Type: sftpwire.Extended, Extension: name, Rest: rest}
	}
	for _, name := range []string{"copy-data", "expand-path@openssh.com", "users-groups-by-id@openssh.com", "home-directory", "md5-hash-handle", "check-file-name", "vendor-id", "text-seek", "space-available",
		"version-select", "block", "posix-rename@openssh.com\x00", "POSIX-RENAME@openssh.com", ""} {
		denied("extension "+name, f.do(ext(name, out+"/secret", dir+"/copy")))
	}
	open := func(path string, flags uint32) sftpwire.Response {
		return f.do(sftpwire.Request{Type: sftpwire.Open, Path: path, Flags: flags, Rest: none})
	}
	for _, path := range []string{dir + "/odd/secret", dir + "/odd", dir + "/odd/", dir + "/odd/new", dir + "/link/secret", dir + "/link/./secret", dir + "/sub/../link/secret", dir + "/sub/deep/../../link//secret", dir + "/file",
		out + "/secret", dir + "/../out/secret", dir + "/nowhere/../link/secret", dir + "/link/nowhere/x", dir + "/link/new", dir + "./secret", dir + "/mine/../../out/secret"} {
		denied("read "+path, open(path, sftpwire.FlagRead))
		denied("every flag "+path, open(path, 0xffffffff))
		denied("setstat "+path, f.do(sftpwire.Request{Type: sftpwire.Setstat, Path: path, Rest: mode(0o777)}))
		denied("statvfs "+path, f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: sftpwire.ExtStatvfs, Path: path}))
		denied("link "+path, f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: sftpwire.ExtHardlink, Path: path + "/secret", Path2: dir + "/sub/hard"}))
		denied("rename "+path, f.do(sftpwire.Request{Type: sftpwire.Rename, Path: path + "/secret", Path2: dir + "/sub/moved"}))
	}
	denied("lsetstat", f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: sftpwire.ExtLsetstat, Path: dir + "/link/secret", Rest: mode(0o777)}))
	denied("readlink", f.do(sftpwire.Request{Type: sftpwire.Readlink, Path: dir + "/link/x"}))
	denied("cut attributes", f.do(sftpwire.Request{Type: sftpwire.Setstat, Path: dir + "/mine", Rest: []byte{0, 0, 0, 4, 0}}))
	denied("hard link outwards", f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: sftpwire.ExtHardlink, Path: dir + "/mine", Path2: out + "/hard"}))
	denied("rename outwards", f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: sftpwire.ExtPosixRename, Path: dir + "/mine", Path2: out + "/moved"}))
	for _, held := range []string{"../../out/secret", "../link/secret", "./../../out", "../../../../../../../../etc/passwd", "../odd/secret"} {
		denied("symlink to "+held, f.do(sftpwire.Request{Type: sftpwire.Symlink, Path: held, Path2: dir + "/sub/evil"}))
	}
	for _, name := range []string{dir + "/" + strings.Repeat("n", 300), dir + "/" + strings.Repeat("n", 5000), dir + "/\xff\xfe", dir + "/a\x00/../../out/secret", dir + "/a\rb", dir + "/\x1b[2J"} {
		denied("create", open(name, sftpwire.FlagWrite|sftpwire.FlagCreate))
	}
	t.Run("handles", func(t *testing.T) {
		for _, h := range []string{"\x00\x00\x00\x00", "\x00\x00\x00\x01", "", "0", out + "/secret"} {
			denied("fstat", f.do(sftpwire.Request{Type: sftpwire.Fstat, Handle: h}))
			denied("fsetstat", f.do(sftpwire.Request{Type: sftpwire.Fsetstat, Handle: h, Rest: mode(0o777)}))
			denied("read", f.do(sftpwire.Request{Type: sftpwire.Read, Handle: h, Length: 100}))
			denied("fstatvfs", f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: sftpwire.ExtFstatvfs, Handle: h}))
		}
		mine := open(dir+"/mine", sftpwire.FlagRead)
		if mine.Type != sftpwire.Handle {
			t.Fatalf("%+v", mine)
		}
		other := newRawSFTP(t, c)
		denied("another channel's", other.do(sftpwire.Request{Type: sftpwire.Read, Handle: mine.Handle, Length: 100}))
		denied("readdir of a file", f.do(sftpwire.Request{Type: sftpwire.Readdir, Handle: mine.Handle}))
		denied("write to what is read", f.do(sftpwire.Request{Type: sftpwire.Write, Handle: mine.Handle, Data: []byte("x")}))
		denied("far behind", f.do(sftpwire.Request{Type: sftpwire.Read, Handle: mine.Handle, Offset: 1<<64 - 1, Length: 1<<32 - 1}))
		if res := f.do(sftpwire.Request{Type: sftpwire.Read, Handle: mine.Handle, Length: 100}); string(res.Data) != "mine" {
			t.Errorf("%+v", res)
		}
		f.do(sftpwire.Request{Type: sftpwire.Close, Handle: mine.Handle})
		denied("after close", f.do(sftpwire.Request{Type: sftpwire.Read, Handle: mine.Handle, Length: 100}))
		folder := f.do(sftpwire.Request{Type: sftpwire.Opendir, Path: dir})
		denied("read of a folder", f.do(sftpwire.Request{Type: sftpwire.Read, Handle: folder.Handle, Length: 100}))
	})
	t.Run("overlapping", func(t *testing.T) { // the same number, many at a time: each has its own answer
		for i := range 50 {
			path, flags := dir+"/mine", uint32(sftpwire.FlagRead)
			if i%2 == 1 {
				path = out + "/secret"
			}
			q := sftpwire.Request{Type: sftpwire.Open, ID: 7, Path: path, Flags: flags, Rest: none}
			for _, b := range q.Encode() { // a byte at a time
				if _, err := f.in.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
		}
		opened, refused := 0, 0
		for range 50 {
			res, err := sftpwire.ParseResponse(f.next())
			if err != nil {
				t.Fatal(err)
			}
			if n++; res.Type == sftpwire.Handle {
				opened++
			} else {
				refused++
			}
		}
		if opened != 25 || refused != 25 {
			t.Errorf("%d opened, %d refused", opened, refused)
		}
	})
	for name, packet := range map[string]string{
		"a second init": "\x00\x00\x00\x05\x01\x00\x00\x00\x03", "a short init": "\x00\x00\x00\x01\x01", "a short version": "\x00\x00\x00\x01\x02", "type 0": "\x00\x00\x00\x05\x00\x00\x00\x00\x01",
		"type 255": "\x00\x00\x00\x05\xff\x00\x00\x00\x01", "a response": "\x00\x00\x00\x09\x65\x00\x00\x00\x01\x00\x00\x00\x00", "no length": "\x00\x00\x00\x00", "all lengths": "\xff\xff\xff\xff\x03",
		"a string that is cut": "\x00\x00\x00\x0a\x0d\x00\x00\x00\x01\x00\x00\x00\xffx", "more behind": "\x00\x00\x00\x0b\x0d\x00\x00\x00\x01\x00\x00\x00\x01xy", "negative length": "\x00\x00\x00\x0a\x0d\x00\x00\x00\x01\x80\x00\x00\x01x",
	} {
		n++
		g := newRawSFTP(t, c)
		if _, err := io.WriteString(g.in, packet); err != nil && err != io.EOF {
			t.Fatal(name, err)
		}
		if left, _ := io.ReadAll(g.out); len(left) > 0 {
			t.Errorf("%s is answered: %x", name, left)
		}
	}
	t.Run("versions", func(t *testing.T) {
		for _, init := range []string{"\x00\x00\x00\x05\x01\x00\x00\x00\x02", "\x00\x00\x00\x05\x01\x00\x00\x00\x06", "\x00\x00\x00\x05\x01\xff\xff\xff\xff", "\x00\x00\x00\x0d\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00"} {
			n++
			s := sftpChannel(t, c, "sftp")
			if _, err := io.WriteString(s.in, init); err != nil {
				t.Fatal(err)
			}
			if p := s.next(); p.Type() != sftpwire.VersionP || binary.BigEndian.Uint32(p[1:]) != sftpwire.Version {
				t.Errorf("%x", []byte(p))
			}
		}
		for _, name := range []string{"SFTP", "sftp ", "sftp\x00", "sftp-server", "internal-sftp", "", "../sftp"} {
			n++
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.RequestSubsystem(name); err == nil {
				t.Errorf("the subsystem %q", name)
			}
			s.Close()
		}
	})
	t.Run("programs", func(t *testing.T) {
		for _, line := range []string{"/usr/lib/openssh/sftp-server", "sftp-server", "internal-sftp", "scp -f " + out + "/secret", "scp -f " + dir + "/../out/secret", "scp -f -- " + dir + "/sub ../out/secret",
			"scp -t " + out, "scp -rt " + dir + "/../out", "scp -f " + dir + "/{mine,../out/secret}", "scp -f '" + dir + "/$(cat " + out + "/secret)'", "scp -S sh -f " + dir + "/mine", "scp -f " + dir + "/mine;cat " + out + "/secret"} {
			n++
			if got, err := run(c, line); err == nil || strings.Contains(got, "TOPSECRET") {
				t.Errorf("%q: %q", line, got)
			}
		}
		for _, name := range []string{"..", ".", "../../out/new", "/" + out + "/new", "a/b"} { // what a client's scp names to ours
			n++
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			s.Stdin = strings.NewReader("D0755 0 " + name + "\nC0644 4 planted\nevil\x00E\n")
			_ = s.Run("scp -rt " + dir + "/sub")
		}
	})
	for _, path := range []string{dir + "/evil", dir + "/sub/evil", dir + "/sub/hard", dir + "/sub/moved", out + "/hard", out + "/moved", out + "/new", out + "/planted", dir + "/planted"} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("there is %s", path)
		}
	}
	if info, err := os.Stat(out + "/secret"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if n < 150 {
		t.Errorf("only %d attacks", n)
	}
	if res := open(dir+"/sub/../mine", sftpwire.FlagRead); res.Type != sftpwire.Handle {
		t.Errorf("%+v", res)
	}
}

// sftpChannel is a channel with a subsystem on which nothing has been said.
func sftpChannel(t *testing.T, c *ssh.Client, name string) *rawSFTP {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	r := &rawSFTP{t: t, in: must(s.StdinPipe()), out: must(s.StdoutPipe())}
	go io.Copy(io.Discard, must(s.StderrPipe()))
	if err := s.RequestSubsystem(name); err != nil {
		t.Fatal(err)
	}
	return r
}
