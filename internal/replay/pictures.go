package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"time"

	"dragoman.dev/dragoman/internal/rdpkeys"
	"dragoman.dev/dragoman/internal/rdpscreen"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/record"
)

// ErrNoPictures says that a session has no desktop.
var ErrNoPictures = errors.New("this session has no desktop")

// Pictures draws an RDP session's desktop as its client saw it, and writes PNG files into a folder: one when the desktop has
// changed and every has passed since the last one, and one of the end. Beside them index.json has, in order, when each was,
// and what was typed and clicked meanwhile.
func Pictures(ctx context.Context, dir string, src Source, every time.Duration) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	out := &folder{dir: dir, index: []moment{}}
	if err := drawTo(ctx, out, src, every); err != nil {
		return err
	}
	b, err := json.MarshalIndent(out.index, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "index.json"), append(b, '\n'), 0o600)
}

// moment is an entry of the index.
type moment struct {
	Seconds float64 `json:"seconds"` // since the session was opened
	File    string  `json:"file,omitempty"`
	Keys    string  `json:"keys,omitempty"`
	Click   *click  `json:"click,omitempty"`
}

type click struct {
	X uint16 `json:"x"`
	Y uint16 `json:"y"`
}

// shown takes what an RDP session shows, in order.
type shown interface {
	picture(seconds float64, img *image.RGBA) error // img is good during the call
	moment(moment) error
}

// drawTo gives a session's pictures, at most one each time that every has passed, and what was typed and clicked.
func drawTo(ctx context.Context, to shown, src Source, every time.Duration) error {
	p := &pictures{to: to, every: every}
	if err := run(ctx, p, src, Options{}); err != nil {
		return err
	}
	if p.count == 0 {
		return ErrNoPictures
	}
	return nil
}

type pictures struct {
	to     shown
	every  time.Duration
	screen Desktop
	keys   rdpkeys.Typist
	count  int

	began, last, now time.Time
	changed          bool // since the last picture
}

func (p *pictures) frame(f record.Frame) error {
	if p.began.IsZero() {
		if f.Kind != record.KindOpen {
			return ErrNoPictures
		}
		p.began = f.Time
	}
	if p.changed && f.Time.Sub(p.last) >= p.every { // what is there until now
		if err := p.write(p.now); err != nil {
			return err
		}
	}
	p.now = f.Time
	switch f.Kind {
	case record.KindOpen:
		var open record.Open
		if err := json.Unmarshal(f.Payload, &open); err != nil || open.Target.Protocol != "rdp" {
			return ErrNoPictures
		}
	case record.KindRequest:
		return p.input(f)
	case record.KindResponse:
		changed, err := p.screen.Draw(f.Payload)
		if err != nil {
			return err
		}
		p.changed = p.changed || changed
	}
	return nil
}

func (p *pictures) end() error {
	if !p.changed {
		return nil
	}
	return p.write(p.now)
}

func (p *pictures) write(at time.Time) error {
	img := p.screen.Image()
	if img == nil {
		return nil
	}
	p.count++
	p.last, p.changed = at, false
	return p.to.picture(p.since(at), img)
}

func (p *pictures) since(at time.Time) float64 { return float64(at.Sub(p.began).Milliseconds()) / 1000 }

// input adds what was typed and clicked.
func (p *pictures) input(f record.Frame) error {
	var moments []moment
	_ = eachPDU(f.Payload, func(pdu []byte) error {
		events, err := rdpwire.ParseFastInput(pdu)
		if err != nil {
			return nil // of the clipboard
		}
		m := moment{Seconds: p.since(f.Time)}
		for _, in := range events {
			const button, down = 0x7000, 0x8000
			if in.Kind == rdpwire.InputMouse && in.Flags&button != 0 && in.Flags&down != 0 {
				m.Click = &click{in.X, in.Y}
			}
			m.Keys += p.keys.Type(in)
		}
		if m.Keys != "" || m.Click != nil {
			moments = append(moments, m)
		}
		return nil
	})
	for _, m := range moments {
		if err := p.to.moment(m); err != nil {
			return err
		}
	}
	return nil
}

// encoder is for pictures of desktops, which are many.
var encoder = png.Encoder{CompressionLevel: png.BestSpeed}

// folder writes files.
type folder struct {
	dir   string
	index []moment
	count int
}

func (d *folder) moment(m moment) error { d.index = append(d.index, m); return nil }

func (d *folder) picture(seconds float64, img *image.RGBA) error {
	d.count++
	name := fmt.Sprintf("%06d.png", d.count)
	f, err := os.OpenFile(filepath.Join(d.dir, name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(encoder.Encode(f, img), f.Close()); err != nil {
		return err
	}
	d.index = append(d.index, moment{Seconds: seconds, File: name})
	return nil
}

// Desktop follows a recorded desktop.
type Desktop struct{ screen rdpscreen.Screen }

// Image is the desktop now, nil before it has a size. It is the Desktop's own.
func (d *Desktop) Image() *image.RGBA { return d.screen.Image() }

// Draw takes a response's payload and reports whether the desktop has changed.
func (d *Desktop) Draw(payload []byte) (changed bool, err error) {
	err = eachPDU(payload, d.pdu)
	return !d.screen.Dirty().Empty(), err
}

func (d *Desktop) pdu(pdu []byte) error {
	if !rdpwire.IsTPKT(pdu) {
		list, err := rdpwire.ParseUpdates(pdu)
		if err != nil {
			return err
		}
		for _, u := range list {
			if err := d.screen.Apply(u); err != nil {
				return err
			}
		}
		return nil
	}
	b, err := rdpwire.Data(pdu)
	if err != nil {
		return err
	}
	m, err := rdpwire.ParseDomain(b)
	if err != nil || m.Channel != rdpIO {
		return err
	}
	s, _, err := rdpwire.NextShare(m.Data)
	if err != nil {
		return err
	}
	switch {
	case s.Kind == rdpwire.ShareDemandActive:
		a, err := rdpwire.ParseDemandActive(s.Body)
		if err != nil {
			return err
		}
		width, height, _, _ := rdpwire.Desktop(a.Sets)
		return d.screen.Resize(width, height)
	case s.Kind == rdpwire.ShareData && s.Type == rdpwire.DataUpdate:
		u, err := rdpwire.SlowUpdate(s.Body)
		if err != nil {
			return err
		}
		return d.screen.Apply(u)
	}
	return nil
}
