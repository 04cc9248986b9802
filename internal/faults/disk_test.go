package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// disk is a small file system of its own, mounted at dir.
type disk struct {
	t     *testing.T
	dir   string
	image string // of an ext4; "" for a tmpfs
}

func newTmpfs(t *testing.T, size string) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir()}
	if err := unix.Mount("tmpfs", d.dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("this test needs root to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(d.dir, unix.MNT_DETACH) })
	return d
}

func newExt4(t *testing.T) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir(), image: filepath.Join(t.TempDir(), "image")}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 48<<20); err != nil {
		t.Fatal(err)
	}
	d.run("mkfs.ext4", "-q", d.image)
	d.run("mount", "-o", "loop", d.image, d.dir)
	t.Cleanup(func() { _ = unix.Unmount(d.dir, unix.MNT_DETACH) })
	return d
}

func (d *disk) run(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.CommandContext(d.t.Context(), name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// fill takes all room; the function returned gives it back.
func (d *disk) fill() func() {
	d.t.Helper()
	path := filepath.Join(d.dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			break
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			d.t.Fatal(err)
		}
	}
}

// Flags of the shutdown that Linux has for ext4: _IOR('X', 125, __u32).
const (
	fsShutdown    = 0x8004587d
	logFlushFirst = 1
)

// fail makes every operation fail with EIO from now on, as when the device is gone.
func (d *disk) fail() {
	d.t.Helper()
	f, err := os.Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), fsShutdown, logFlushFirst); err != nil {
		d.t.Fatal(err)
	}
}

// abort makes the file system read-only, as it does itself when it finds an error.
func (d *disk) abort() {
	d.t.Helper()
	d.run("mount", "-o", "remount,abort", d.dir)
}

// repair mounts the disk again, as an operator does; files that are open stay on the broken one.
func (d *disk) repair() {
	d.t.Helper()
	if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil {
		d.t.Fatal(err)
	}
	again := d.image + ".again" // the broken mount may still have the image
	b, err := os.ReadFile(d.image)
	if err == nil {
		err = os.WriteFile(again, b, 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.image = again
	d.run("mount", "-o", "loop", d.image, d.dir)
}

// exhaust uses up the file table of this process; more takes what was closed meanwhile, and free gives
// all back.
func exhaust(t *testing.T) (more, free func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 256, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	var held []*os.File
	more = func() {
		for {
			f, err := os.Open(os.DevNull)
			if err != nil {
				return
			}
			held = append(held, f)
		}
	}
	free = func() {
		for _, f := range held {
			f.Close()
		}
		held = nil
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(free)
	more()
	return more, free
}
