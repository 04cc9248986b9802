package replay

import (
	"errors"
	"strings"

	"dragoman.dev/dragoman/internal/rdpkeys"
	"dragoman.dev/dragoman/internal/rdpwire"
)

// rdp decodes what the bridge has recorded of an RDP session: whole PDUs, one or more a frame. Requests are input of the
// fast path, and the clipboard's; responses pictures and pointers, changes of the desktop, and the clipboard's. What pictures
// show is for Pictures.
type rdp struct {
	keys  rdpkeys.Typist
	typed strings.Builder
	clips [2]rdpwire.Joiner // of requests and of responses
	wants [2]uint32         // the format that they have asked for
}

// maxTyped is how much is typed before it is shown without an Enter.
const maxTyped = 120

// maxClip bounds a message of the clipboard in a record.
const maxClip = 16 << 20

func newRDP() *rdp {
	r := &rdp{}
	for i := range r.clips {
		r.clips[i].Max = maxClip
	}
	return r
}

// rdpIO is the bridge's number of the channel that is not a virtual one.
const rdpIO = 1003

// eachPDU calls f for each PDU of a frame.
func eachPDU(b []byte, f func([]byte) error) error {
	for len(b) > 0 {
		n, err := rdpwire.PDULength(b)
		if err != nil {
			return err
		}
		if n == 0 || n > len(b) {
			return rdpwire.ErrShort
		}
		if err := f(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Request implements Protocol.
func (r *rdp) Request(b []byte, emit func(Event) error) error {
	return r.pdus(b, emit, func(pdu []byte, emit func(Event) error) error {
		if rdpwire.IsTPKT(pdu) {
			return r.clip(pdu, 0, emit)
		}
		events, err := rdpwire.ParseFastInput(pdu)
		if err != nil {
			return err
		}
		return r.inputs(events, emit)
	})
}

// Response implements Protocol.
func (r *rdp) Response(b []byte, emit func(Event) error) error {
	return r.pdus(b, emit, func(pdu []byte, emit func(Event) error) error {
		if !rdpwire.IsTPKT(pdu) {
			list, err := rdpwire.ParseUpdates(pdu)
			if err != nil {
				return err
			}
			return emit(Event{Message: "updates", Fields: map[string]any{"updates": len(list), "bytes": len(pdu)}})
		}
		b, err := rdpwire.Data(pdu)
		if err != nil {
			return err
		}
		d, err := rdpwire.ParseDomain(b)
		if err != nil {
			return err
		}
		if d.Channel != rdpIO {
			return r.clip(pdu, 1, emit)
		}
		return r.share(d.Data, emit)
	})
}

// pdus goes through a frame. What cannot be decoded is said, not an end.
func (r *rdp) pdus(b []byte, emit func(Event) error, f func([]byte, func(Event) error) error) error {
	var failed error
	say := func(e Event) error {
		failed = emit(e)
		return failed
	}
	err := eachPDU(b, func(pdu []byte) error { return f(pdu, say) })
	if err == nil || failed != nil {
		return failed
	}
	return emit(Event{Message: "undecoded", Fields: map[string]any{"bytes": len(b)}})
}

func (r *rdp) share(data []byte, emit func(Event) error) error {
	s, _, err := rdpwire.NextShare(data)
	if err != nil {
		return err
	}
	if s.Kind != rdpwire.ShareDemandActive {
		return emit(Event{Message: "updates", Fields: map[string]any{"updates": 1, "bytes": len(data)}})
	}
	a, err := rdpwire.ParseDemandActive(s.Body)
	if err != nil {
		return err
	}
	width, height, depth, _ := rdpwire.Desktop(a.Sets)
	return emit(Event{Message: "desktop", Fields: map[string]any{"width": width, "height": height, "depth": depth}})
}

// inputs shows keys as text, and the rest as how much of it.
func (r *rdp) inputs(events []rdpwire.Input, emit func(Event) error) error {
	keys, mouse := "", 0
	for _, in := range events {
		if in.Kind == rdpwire.InputMouse || in.Kind == rdpwire.InputMouseX {
			mouse++
		}
		keys += r.keys.Type(in)
	}
	fields := map[string]any{}
	if mouse > 0 {
		fields["mouse"] = mouse
	}
	if keys != "" {
		fields["keys"] = keys
	}
	r.typed.WriteString(keys)
	e := Event{Message: "input", Fields: fields}
	if strings.HasSuffix(keys, "<Enter>") || r.typed.Len() > maxTyped {
		e.Lines = r.lines()
	}
	return emit(e)
}

// lines is what was typed since the last time.
func (r *rdp) lines() []string {
	if r.typed.Len() == 0 {
		return nil
	}
	defer r.typed.Reset()
	return []string{"typed: " + r.typed.String()}
}

// Flush implements flusher.
func (r *rdp) Flush(emit func(Event) error) error {
	if l := r.lines(); l != nil {
		return emit(Event{Message: "typed", Lines: l})
	}
	return nil
}

var clipNames = map[uint16]string{rdpwire.ClipReady: "ready", rdpwire.ClipFormats: "formats", rdpwire.ClipFormatsAnswer: "formats taken",
	rdpwire.ClipDataRequest: "request", rdpwire.ClipDataResponse: "data", rdpwire.ClipCapabilities: "capabilities",
	rdpwire.ClipContentRequest: "file request", rdpwire.ClipContentResponse: "file content", rdpwire.ClipLock: "lock", rdpwire.ClipUnlock: "unlock"}

// clip decodes a PDU of the clipboard's channel; side 0 is the client's.
func (r *rdp) clip(pdu []byte, side int, emit func(Event) error) error {
	b, err := rdpwire.Data(pdu)
	if err != nil {
		return err
	}
	d, err := rdpwire.ParseDomain(b)
	if err != nil {
		return err
	}
	whole, err := r.clips[side].Add(d.Data)
	if err != nil || whole == nil {
		return err
	}
	m, err := rdpwire.ParseClip(whole)
	if err != nil {
		return err
	}
	e := Event{Message: "clipboard " + clipNames[m.Kind], Fields: map[string]any{"bytes": len(m.Body)}}
	switch m.Kind {
	case rdpwire.ClipDataRequest:
		r.wants[side], err = rdpwire.ClipNumber(m.Body)
	case rdpwire.ClipDataResponse:
		r.data(&e, m, side)
	case rdpwire.ClipContentResponse:
		if len(m.Body) >= 4 {
			e.Fields["stream"], e.Data = m.Body[:4], m.Body[4:]
		}
	}
	return errors.Join(err, emit(e))
}

// data adds what the clipboard carries.
func (r *rdp) data(e *Event, m rdpwire.Clip, side int) {
	const text = 13 // CF_UNICODETEXT
	switch files, err := rdpwire.ParseFiles(m.Body); {
	case m.Flags&rdpwire.ClipOK == 0:
		e.Fields["refused"] = true
	case r.wants[1-side] == text:
		e.Fields["text"] = rdpwire.Text(m.Body)
		e.Lines = []string{"clipboard: " + rdpwire.Text(m.Body)}
	case err == nil:
		e.Fields["files"] = files
	}
}
