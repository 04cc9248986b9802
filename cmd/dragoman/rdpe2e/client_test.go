//go:build rdp

package rdpe2e

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dragoman.dev/dragoman/internal/child"
)

const (
	width  = 800
	height = 600
)

// client is a running xfreerdp, at the top left of the client's screen.
type client struct {
	t    *testing.T
	log  string
	proc *child.Child
}

// connect starts xfreerdp with a token as the password. The user name is the target, as it would be on a shared port.
func (r *rig) connect(t *testing.T, target, token string, more ...string) *client {
	t.Helper()
	c := &client{t: t, log: filepath.Join(t.TempDir(), "client.log")}
	f, err := os.Create(c.log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	args := []string{fmt.Sprintf("/v:127.0.0.1:%d", r.ports[target]), "/u:" + target, "/p:" + token, "/cert:ignore", "/sec:tls",
		fmt.Sprintf("/size:%dx%d", width, height), "-decorations"}
	cmd := exec.Command("xfreerdp", append(args, more...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(r.screen.Env(), "HOME="+t.TempDir()), f, f
	if c.proc, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// close ends the client.
func (c *client) close() { c.proc.End(syscall.SIGTERM, limit) }

// code waits for its end and gives its exit code.
func (c *client) code() int {
	c.t.Helper()
	await(c.t, "the client ends", func() bool {
		select {
		case <-c.proc.Done():
			return true
		default:
			return false
		}
	})
	if e, ok := c.proc.Wait().(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return 0
}

func (c *client) said() string {
	b, _ := os.ReadFile(c.log)
	return string(b)
}

// shot is what the client's screen shows.
func (r *rig) shot(t *testing.T) image.Image {
	t.Helper()
	out, err := r.screen.Run(context.Background(), "", "import", "-window", "root", "png:-")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

var (
	deskBlue = color.RGBA{0x20, 0x40, 0x60, 0xff} // of the session's root window
	paper    = color.RGBA{0xff, 0xff, 0xff, 0xff} // of its terminal
)

// near says that a colour is another one, but for what fewer bits cost.
func near(a color.Color, b color.RGBA) bool {
	c := color.RGBAModel.Convert(a).(color.RGBA)
	for _, d := range []int{int(c.R) - int(b.R), int(c.G) - int(b.G), int(c.B) - int(b.B)} {
		if d < -tolerance || d > tolerance {
			return false
		}
	}
	return true
}

// desktop waits until the client shows the session's desktop with its terminal.
func (r *rig) desktop(t *testing.T, c *client) {
	t.Helper()
	await(t, "the desktop", func() bool {
		img := r.shot(t)
		return near(img.At(700, 500), deskBlue) && near(img.At(300, 150), paper)
	})
}

// still is the client's picture when it does not change any more.
func (r *rig) still(t *testing.T) image.Image {
	t.Helper()
	before := r.shot(t)
	await(t, "a picture that stands still", func() bool {
		now := r.shot(t)
		same := different(before, now, 0) == 0
		before = now
		return same
	})
	return before
}

// tolerance is how far a channel of a pixel may be off, of 255: what a client makes of 16 bits is not defined.
const tolerance = 8

// different counts the pixels of the desktop that differ by more.
func different(a, b image.Image, by int) (n int) {
	for y := range height {
		for x := range width {
			p, q := color.RGBAModel.Convert(a.At(x, y)).(color.RGBA), color.RGBAModel.Convert(b.At(x, y)).(color.RGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
				if d < -by || d > by {
					n++
					break
				}
			}
		}
	}
	return n
}

// presses presses a key until the client has ended.
func (r *rig) presses(t *testing.T, c *client) {
	t.Helper()
	await(t, "the client ends", func() bool {
		select {
		case <-c.proc.Done():
			return true
		default:
		}
		r.focus()
		_, _ = r.screen.Run(context.Background(), "", "xdotool", "key", "space") // its window may be gone
		return false
	})
}

// focus gives the client the keyboard.
func (r *rig) focus() error {
	id, err := r.screen.Run(context.Background(), "", "xdotool", "search", "--class", "xfreerdp")
	if err != nil {
		return err
	}
	windows := strings.Fields(id)
	_, err = r.screen.Run(context.Background(), "", "xdotool", "windowfocus", windows[len(windows)-1])
	return err
}

// types types on the client's keyboard, into the session's terminal.
func (r *rig) types(t *testing.T, text string) {
	t.Helper()
	if err := r.focus(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"mousemove", "200", "100", "click", "1"}, {"type", "--delay", "10", text}, {"key", "Return"}} {
		if _, err := r.screen.Run(context.Background(), "", "xdotool", args...); err != nil {
			t.Fatal(err)
		}
	}
}

// pictures replays a session into PNG files and gives the last, and the index.
func (r *rig) pictures(t *testing.T, id string) (last image.Image, index string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "png")
	r.must(t, "sessions", "replay", id, "--png", dir, "--every", "100ms")
	files, err := filepath.Glob(filepath.Join(dir, "*.png"))
	if err != nil || len(files) == 0 {
		t.Fatal("no pictures", err)
	}
	b, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	if last, err = png.Decode(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	i, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	return last, string(i)
}
