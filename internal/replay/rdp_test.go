package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/record"
)

// rdpData is a PDU with data, as the bridge writes it to a client.
func rdpData(channel uint16, data []byte) []byte {
	return rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendIndicate, User: 1002, Channel: channel, Data: data}))
}

func rdpPicture(r, g, b byte) []byte {
	pix := bytes.Repeat([]byte{b, g, r, 0}, 16*16)
	return rdpwire.AppendUpdate(nil, rdpwire.Update{Code: rdpwire.UpdateBitmap,
		Data: rdpwire.AppendBitmap(nil, rdpwire.Rect{Right: 15, Bottom: 15, Width: 16, Height: 16, Depth: 32, Data: pix})})
}

func rdpKeys(codes ...uint16) []byte {
	var events []rdpwire.Input
	for _, c := range codes {
		events = append(events, rdpwire.Input{Kind: rdpwire.InputKey, Code: c})
	}
	return rdpwire.AppendFastInput(nil, events)
}

// clipPDUs is a message of the clipboard.
func clipPDUs(m rdpwire.Clip) (out []byte) {
	_ = rdpwire.Chunks(rdpwire.AppendClip(nil, m), func(b []byte) error { out = append(out, rdpData(1005, b)...); return nil })
	return out
}

func rdpSession(t testing.TB) *list {
	l := newList()
	l.json(t, record.KindOpen, 0, record.Open{Target: policy.Target{Name: "desk", Protocol: "rdp"}})
	demand := rdpwire.AppendShare(nil, rdpwire.Share{Kind: rdpwire.ShareDemandActive, Body: rdpwire.AppendDemandActive(nil, rdpwire.Active{ShareID: 1, Sets: rdpwire.ServerSets(16, 16, 32)})})
	l.add(record.KindResponse, 1, rdpData(rdpIO, demand))
	l.add(record.KindResponse, 1, rdpPicture(200, 0, 0))
	l.add(record.KindRequest, 2, rdpKeys(0x26, 0x1f, 0x1c))
	l.add(record.KindRequest, 2, clipPDUs(rdpwire.Clip{Kind: rdpwire.ClipDataRequest, Body: []byte{13, 0, 0, 0}}))
	l.add(record.KindResponse, 3, clipPDUs(rdpwire.Clip{Kind: rdpwire.ClipDataResponse, Flags: rdpwire.ClipOK, Body: rdpwire.AppendText(nil, "pasted")}))
	l.add(record.KindResponse, 1, rdpPicture(0, 0, 200))
	l.add(record.KindRequest, 2, rdpKeys(0x1e))
	l.json(t, record.KindClose, 0, record.Close{Reason: "client"})
	return l
}

func TestRDP(t *testing.T) {
	var out bytes.Buffer
	must(t, Text(context.Background(), &out, rdpSession(t).source(), Options{}))
	for _, want := range []string{"typed: ls<Enter>\n", "clipboard: pasted\n", "typed: a\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	out.Reset()
	must(t, JSON(context.Background(), &out, rdpSession(t).source(), Options{}))
	for _, want := range []string{`"desktop"`, `"width":16`, `"keys":"ls`, `"text":"pasted"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	stop := errors.New("stop")
	if err := newRDP().Request(rdpKeys(2), func(Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of emit becomes %v", err)
	}
}

func TestPictures(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "png")
	must(t, Pictures(context.Background(), dir, rdpSession(t).source(), 0))
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	must(t, err)
	var index []moment
	must(t, json.Unmarshal(b, &index))
	var files []string
	keys := ""
	for _, m := range index {
		keys += m.Keys
		if m.File != "" {
			files = append(files, m.File)
		}
	}
	if keys != "ls<Enter>a" || len(files) < 2 {
		t.Fatalf("keys %q, files %v", keys, files)
	}
	f, err := os.Open(filepath.Join(dir, files[len(files)-1]))
	must(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	must(t, err)
	if r, g, b, _ := img.At(8, 8).RGBA(); img.Bounds().Dx() != 16 || r != 0 || g != 0 || b>>8 != 200 {
		t.Errorf("the last picture has %d %d %d", r, g, b)
	}
	once := filepath.Join(t.TempDir(), "png")
	must(t, Pictures(context.Background(), once, rdpSession(t).source(), time.Hour))
	if names, _ := filepath.Glob(filepath.Join(once, "*.png")); len(names) > 2 {
		t.Errorf("%v within an hour", names)
	}
	if err := Pictures(context.Background(), t.TempDir(), session(t).source(), 0); !errors.Is(err, ErrNoPictures) {
		t.Errorf("a session without a desktop: %v", err)
	}
}

// FuzzRDP replays whatever a record may hold.
func FuzzRDP(f *testing.F) {
	for _, frame := range rdpSession(f).frames {
		f.Add(frame.Payload, frame.Kind == record.KindRequest)
	}
	f.Fuzz(func(t *testing.T, b []byte, request bool) {
		p := newRDP()
		do := p.Response
		if request {
			do = p.Request
		}
		for range 2 {
			if err := do(b, func(Event) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		var d Desktop
		_, _ = d.Draw(rdpSession(t).frames[1].Payload)
		_, _ = d.Draw(b)
	})
}
