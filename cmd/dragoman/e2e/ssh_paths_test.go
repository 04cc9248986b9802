package e2e

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"dragoman.dev/dragoman/internal/sftpwire"
)

// rawSFTP speaks packets, as no honest client would.
type rawSFTP struct {
	t   *testing.T
	in  io.WriteCloser
	out io.Reader
	f   sftpwire.Framer
	id  uint32
}

func newRawSFTP(t *testing.T, c *ssh.Client) *rawSFTP {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	r := &rawSFTP{t: t}
	if r.in, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if r.out, err = s.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, must(s.StderrPipe()))
	if err := s.RequestSubsystem("sftp"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.in.Write(sftpwire.InitPacket()); err != nil {
		t.Fatal(err)
	}
	if p := r.next(); p.Type() != sftpwire.VersionP {
		t.Fatalf("%x", []byte(p))
	}
	return r
}

func must[T any](v T, _ error) T { return v }

func (r *rawSFTP) next() sftpwire.Packet {
	r.t.Helper()
	buf := make([]byte, 32<<10)
	for {
		p, err := r.f.Next()
		if err != nil {
			r.t.Fatal(err)
		}
		if p != nil {
			return p
		}
		n, err := r.out.Read(buf)
		r.f.Add(buf[:n])
		if err != nil && n == 0 {
			r.t.Fatal(err)
		}
	}
}

func (r *rawSFTP) do(q sftpwire.Request) sftpwire.Response {
	r.t.Helper()
	r.id++
	q.ID = r.id
	if _, err := r.in.Write(q.Encode()); err != nil {
		r.t.Fatal(err)
	}
	res, err := sftpwire.ParseResponse(r.next())
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// hostilePaths lead out of $D, or look as if they did not. $D has the links out -> / and file -> /etc/passwd, and the folder sub.
const hostilePaths = `/etc/passwd
//etc/passwd
///etc///passwd
/./etc/passwd
/etc/./passwd
/etc/../etc/passwd
$D/../../../../../../etc/passwd
$D/sub/../../../../../../../etc/passwd
$D/./../../../../../../etc/passwd
$D//..//..//..//..//..//etc//passwd
$D/nowhere/../../../../../../../etc/passwd
$D/out/etc/passwd
$D/out/./etc/passwd
$D/out//etc/passwd
$D/sub/../out/etc/passwd
$D/out/../etc/passwd
$D/file
$D/./file
$D/sub/../file
$D/sub/up/out/etc/passwd
$D/sub/up/file
$D/../$B/file
$D/../$B/out/etc/passwd
$D/out/proc/self/root/etc/passwd
/proc/self/root/etc/passwd
/proc/self/cwd/../etc/passwd
/dev/fd/0
/dev/../etc/passwd
$Dx/passwd
$D/../x
$D/..
$D/.
$D/sub/../..
$D/sub/../../
/
/.
/..
.
..
../etc/passwd
../../etc/passwd
.ssh/authorized_keys
./.ssh/authorized_keys
~/.ssh/authorized_keys
$D/out/root/.ssh/authorized_keys
$D/out
$D/out/
$D/sub/up/..
$D/sub/up/../etc
$D/new/../../../../../../../etc/new
$D/out/etc/new
$D/out/tmp/new
$D/sub/up/out/tmp/new`

// TestSSHPaths: no path, however it is written, leads out of the folder that the rule names.
func TestSSHPaths(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.Mkdir(dir+"/sub", 0o700), os.Symlink("/", dir+"/out"), os.Symlink("/etc/passwd", dir+"/file"), os.Symlink("..", dir+"/sub/up"),
		os.WriteFile(dir+"/mine", []byte("x"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := newSSH(t, sshSetup{rules: filesRules(dir)[:strings.Index(filesRules(dir), "- {name: scp")]})
	f := newRawSFTP(t, r.dial(r.token("ops")))
	denied := func(what, path string, res sftpwire.Response) {
		t.Helper()
		if res.Type == sftpwire.Status && res.Code != sftpwire.OK {
			return
		}
		t.Errorf("%s %q: %+v", what, path, res)
	}
	none := []byte{0, 0, 0, 0}
	n := 0
	for _, p := range strings.Split(hostilePaths, "\n") {
		p = strings.NewReplacer("$D", dir, "$B", filepath.Base(dir)).Replace(p)
		inside := p == dir+"/." || p == dir+"/sub/../../"+filepath.Base(dir)
		if inside || p == dir+"/sub/up/.." { // it is the folder's own parent
			continue
		}
		n++
		denied("open", p, f.do(sftpwire.Request{Type: sftpwire.Open, Path: p, Flags: sftpwire.FlagRead, Rest: none}))
		denied("create", p, f.do(sftpwire.Request{Type: sftpwire.Open, Path: p, Flags: sftpwire.FlagWrite | sftpwire.FlagCreate, Rest: none}))
		denied("opendir", p, f.do(sftpwire.Request{Type: sftpwire.Opendir, Path: p}))
		denied("stat", p, f.do(sftpwire.Request{Type: sftpwire.Stat, Path: p}))
		denied("setstat", p, f.do(sftpwire.Request{Type: sftpwire.Setstat, Path: p, Rest: none}))
		if strings.HasPrefix(p, "/") || strings.HasPrefix(p, "..") { // what a link holds is relative to the link
			denied("symlink", p, f.do(sftpwire.Request{Type: sftpwire.Symlink, Path: p, Path2: dir + "/evil"}))
		}
		if strings.HasSuffix(p, "/file") || strings.HasSuffix(p, "/out") { // the link itself is in the folder
			continue
		}
		denied("remove", p, f.do(sftpwire.Request{Type: sftpwire.Remove, Path: p}))
		denied("mkdir", p, f.do(sftpwire.Request{Type: sftpwire.Mkdir, Path: p, Rest: none}))
		denied("rename to", p, f.do(sftpwire.Request{Type: sftpwire.Rename, Path: dir + "/mine", Path2: p}))
		denied("posix-rename to", p, f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: sftpwire.ExtPosixRename, Path: dir + "/mine", Path2: p}))
		denied("hardlink of", p, f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: sftpwire.ExtHardlink, Path: p, Path2: dir + "/evil"}))
	}
	if n < 50 {
		t.Errorf("only %d paths", n)
	}
	for _, p := range []string{dir + "/a\x00b", dir + "/a\nb", dir + "/a\xff", dir + "/" + strings.Repeat("x/", 3000)} {
		denied("open", p, f.do(sftpwire.Request{Type: sftpwire.Open, Path: p, Flags: sftpwire.FlagWrite | sftpwire.FlagCreate, Rest: none}))
	}
	denied("read", "no handle", f.do(sftpwire.Request{Type: sftpwire.Read, Handle: "\x00\x00\x00\x00", Length: 10}))
	denied("extension", "copy-data", f.do(sftpwire.Request{Type: sftpwire.Extended, Extension: "copy-data", Rest: none}))
	if _, err := os.Lstat(dir + "/evil"); err == nil {
		t.Error("a link was made")
	}
	// What the rule allows still goes.
	if res := f.do(sftpwire.Request{Type: sftpwire.Open, Path: dir + "/sub/../mine", Flags: sftpwire.FlagRead, Rest: none}); res.Type != sftpwire.Handle {
		t.Errorf("%+v", res)
	}
}
