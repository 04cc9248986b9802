//go:build rdp

package rdpe2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDevices: a client that brings a drive, a printer, a smart card and sound brings nothing to the target: the channels are off, the
// record says that they were asked for. Straight to the same server it does bring them.
func TestDevices(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "of-the-client"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := len(channels(t)) // of other tests' sessions
	said := func() string { return channels(t)[before:] }
	devices := []string{"/drive:share," + dir, "/printer:paper,driver", "/smartcard:card", "/sound:sys:fake", "+clipboard"}
	// What a session has of the client's drives, as its own shell sees it.
	drives := func(c *client, name string) string {
		shared.desktop(t, c)
		shared.types(t, "ls thinclient_drives > "+name+"; ls thinclient_drives/share >> "+name+" 2>/dev/null; echo end >> "+name)
		var text string
		await(t, "the session's drives", func() bool {
			b, _ := os.ReadFile(filepath.Join(shared.xrdp.Home(), name))
			text = string(b)
			return strings.Contains(text, "end")
		})
		await(t, "the channels are set up, where there are any", func() bool { return name != "devices-direct" || strings.Contains(said(), "Detected remote") })
		c.close()
		return text
	}
	if got := drives(shared.connect(t, "desk", shared.token(t, "agent:devices", "ops"), devices...), "devices-through"); got != "end\n" {
		t.Errorf("through the gateway the session has\n%s", got)
	}
	for _, device := range []string{"Detected remote", "sound_process_training"} {
		if said := said(); strings.Contains(said, device) {
			t.Errorf("through the gateway the server has a device:\n%s", said)
		}
	}
	text := shared.must(t, "sessions", "replay", shared.last(t, "agent:devices"))
	for _, channel := range []string{"rdpdr", "rdpsnd", "cliprdr"} {
		if !strings.Contains(text, `"`+channel+`"`) {
			t.Errorf("that %s was asked for is not recorded:\n%s", channel, text)
		}
	}
	shared.ports["direct"] = shared.xrdp.Port
	got := drives(shared.connect(t, "direct", shared.xrdp.Password, append(devices, "/u:"+shared.xrdp.User)...), "devices-direct")
	if said := said(); !strings.Contains(said, "Detected remote") || !strings.Contains(said, "sound_process_training") {
		t.Errorf("straight to it the server's own log has no devices, so that nothing is shown here: the session has %q, the log\n%s", got, said)
	}
}

// channels is what the server's side of the channels has said in its sessions.
func channels(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared.xrdp.Home(), ".local", "share", "xrdp", "xrdp-chansrv.*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
