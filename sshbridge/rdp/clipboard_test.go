package rdp

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/rdpwire"
)

// clip sends a message of the clipboard.
func (p *peer) clip(m rdpwire.Clip) {
	kind, channel := byte(rdpwire.SendRequest), uint16(firstChannel+1)
	if p.user == 1002 {
		kind, channel = rdpwire.SendIndicate, 1010
	}
	_ = rdpwire.Chunks(rdpwire.AppendClip(nil, m), func(b []byte) error { p.send(kind, channel, b); return nil })
}

// clipNext is the next message of a kind.
func (p *peer) clipNext(kind uint16) (m rdpwire.Clip) {
	p.t.Helper()
	j := rdpwire.Joiner{Max: maxClip}
	found := p.next(func(pdu []byte) bool {
		b, err := rdpwire.Data(pdu)
		if err != nil {
			return false
		}
		d, err := rdpwire.ParseDomain(b)
		if err != nil || d.Channel == ioChannel {
			return false
		}
		whole, err := j.Add(d.Data)
		if err != nil || whole == nil {
			return false
		}
		m, err = rdpwire.ParseClip(bytes.Clone(whole))
		return err == nil && m.Kind == kind
	})
	if found == nil {
		p.t.Fatalf("no clipboard message %d", kind)
	}
	return m
}

const filesFormat = 0xc0de

func offer(formats ...rdpwire.Format) rdpwire.Clip {
	return rdpwire.Clip{Kind: rdpwire.ClipFormats, Body: rdpwire.AppendFormats(nil, formats, false)}
}

func wants(format uint32) rdpwire.Clip {
	return rdpwire.Clip{Kind: rdpwire.ClipDataRequest, Body: le32(format)}
}

func gives(body []byte) rdpwire.Clip {
	return rdpwire.Clip{Kind: rdpwire.ClipDataResponse, Flags: rdpwire.ClipOK, Body: body}
}

// TestOnlyKnownFormats: what cannot be read here is not offered, nor given when it is asked for all the same.
func TestOnlyKnownFormats(t *testing.T) {
	r := newRig(t, allow(), nil, nil)
	client, target := r.session()
	client.clip(offer(rdpwire.Format{ID: 8}, rdpwire.Format{ID: 13}, rdpwire.Format{ID: 0xc111, Name: "HTML Format"}))
	list, err := rdpwire.ParseFormats(target.clipNext(rdpwire.ClipFormats), false)
	if err != nil || len(list) != 1 || list[0].ID != 13 {
		t.Errorf("%+v %v", list, err)
	}
	target.clip(wants(8))
	if m := target.clipNext(rdpwire.ClipDataResponse); m.Flags != rdpwire.ClipFail {
		t.Errorf("%+v", m)
	}
	client.clip(gives([]byte("nobody has asked for it")))
	client.clip(rdpwire.Clip{Kind: rdpwire.ClipLock, Body: le32(1)}) // on the same connection, so what is before it is over
	target.clipNext(rdpwire.ClipLock)
	target.clip(wants(13))
	client.clipNext(rdpwire.ClipDataRequest)
	client.clip(gives(append(rdpwire.AppendText(nil, "asked for"), 0, 0)))
	if m := target.clipNext(rdpwire.ClipDataResponse); rdpwire.Text(m.Body) != "asked for" {
		t.Errorf("%+v", m)
	}
}

// TestTextsAreMasked: a text of the target's is masked before it is recorded and delivered; one of the client's is not.
func TestTextsAreMasked(t *testing.T) {
	r := newRig(t, allow(), []policy.MaskRule{{Name: "pii", Detectors: []string{"email"}, Opaque: "allow"}}, nil)
	client, target := r.session()
	text := append(rdpwire.AppendText(nil, strings.Repeat("long ", 2000)+"joe@example.com"), 0, 0)
	target.clip(offer(rdpwire.Format{ID: 13}))
	client.clipNext(rdpwire.ClipFormats)
	client.clip(wants(13))
	target.clipNext(rdpwire.ClipDataRequest)
	target.clip(gives(text))
	got := rdpwire.Text(client.clipNext(rdpwire.ClipDataResponse).Body)
	if !strings.HasPrefix(got, "long long ") || strings.Contains(got, "joe@") {
		t.Errorf("the client gets …%.40s", got[max(0, len(got)-40):])
	}
	if all := r.recorded(); bytes.Contains(all, rdpwire.AppendText(nil, "joe@")) || bytes.Contains(all, []byte("joe@")) {
		t.Error("it is in the record")
	}
}

// fileNames is a list of files of 10 bytes each.
func fileNames(names ...string) []byte {
	b := le32(uint32(len(names)))
	for _, n := range names {
		d := make([]byte, 592)
		binary.LittleEndian.PutUint32(d[68:], 10)
		copy(d[72:], rdpwire.AppendText(nil, n))
		b = append(b, d...)
	}
	return b
}

// TestFiles: each file is judged when it is asked for; what is refused is not asked of its owner.
func TestFiles(t *testing.T) {
	secret := policy.Rule{Name: "secrets", Verdict: "block", When: policy.When{Tables: []string{"file.secret*"}}, Reason: "not that one"}
	r := newRig(t, allow(secret), nil, nil)
	client, target := r.session()
	target.clip(offer(rdpwire.Format{ID: filesFormat, Name: fileList}))
	client.clipNext(rdpwire.ClipFormats)
	client.clip(wants(filesFormat))
	target.clipNext(rdpwire.ClipDataRequest)
	target.clip(gives(fileNames("notes.txt", `secret.txt`)))
	if files, err := rdpwire.ParseFiles(client.clipNext(rdpwire.ClipDataResponse).Body); err != nil || len(files) != 2 || files[0].Name != "notes.txt" || files[0].Size != 10 {
		t.Fatalf("%+v %v", files, err)
	}
	part := func(stream, index uint32) rdpwire.Clip {
		return rdpwire.Clip{Kind: rdpwire.ClipContentRequest, Body: rdpwire.AppendContent(nil, rdpwire.Content{Stream: stream, Index: index, Count: 10})}
	}
	client.clip(part(1, 1)) // the secret one
	if m := client.clipNext(rdpwire.ClipContentResponse); m.Flags != rdpwire.ClipFail || m.Body[0] != 1 {
		t.Errorf("%+v", m)
	}
	client.clip(part(2, 7)) // none
	if m := client.clipNext(rdpwire.ClipContentResponse); m.Flags != rdpwire.ClipFail || m.Body[0] != 2 {
		t.Errorf("%+v", m)
	}
	client.clip(part(3, 0))
	if r, err := rdpwire.ParseContent(target.clipNext(rdpwire.ClipContentRequest).Body); err != nil || r.Index != 0 || r.Stream != 3 {
		t.Errorf("the target is asked for %+v %v", r, err)
	}
	target.clip(rdpwire.Clip{Kind: rdpwire.ClipContentResponse, Flags: rdpwire.ClipOK, Body: append(le32(1), "not asked for"...)})
	target.clip(rdpwire.Clip{Kind: rdpwire.ClipContentResponse, Flags: rdpwire.ClipOK, Body: append(le32(3), "ten bytes."...)})
	if m := client.clipNext(rdpwire.ClipContentResponse); string(m.Body[4:]) != "ten bytes." {
		t.Errorf("%q", m.Body)
	}
	for _, want := range []string{"file notes.txt of 10 bytes", "not that one", "ten bytes."} {
		if !bytes.Contains(r.recorded(), []byte(want)) {
			t.Errorf("%q is not recorded", want)
		}
	}
}

// offers has the target offer files, up to what the client is told of them.
func offers(client, target *peer, list []byte) rdpwire.Clip {
	target.clip(offer(rdpwire.Format{ID: filesFormat, Name: fileList}))
	client.clipNext(rdpwire.ClipFormats)
	client.clip(wants(filesFormat))
	target.clipNext(rdpwire.ClipDataRequest)
	target.clip(gives(list))
	return client.clipNext(rdpwire.ClipDataResponse)
}

// TestFileNames: no file is offered whose name leads out of the folder that it is pasted into.
func TestFileNames(t *testing.T) {
	for _, name := range []string{`..\evil`, `a\..\..\evil`, `a/../evil`, `\evil`, `/evil`, `C:\evil`, `c:evil`, `a\.. \evil`, `a\...\evil`, "evil\nname", ""} {
		if staysInside(name) {
			t.Errorf("%q stays inside", name)
		}
	}
	for _, name := range []string{"notes.txt", `folder\notes.txt`, "..notes", "a..b", ".profile", "12:30.txt", "Ünï"} {
		if !staysInside(name) {
			t.Errorf("%q leads out", name)
		}
	}
	r := newRig(t, allow(), nil, nil)
	client, target := r.session()
	if m := offers(client, target, fileNames("notes.txt", `..\..\Startup\evil.exe`)); m.Flags != rdpwire.ClipFail {
		t.Errorf("%+v", m)
	}
	if !bytes.Contains(r.recorded(), []byte("leads out of the folder")) {
		t.Error("it is not recorded")
	}
}

// TestClipboardChanges: what was judged is of one list of files. When the owner has another one, nothing is passed on under the old verdicts.
func TestClipboardChanges(t *testing.T) {
	secret := policy.Rule{Name: "secrets", Verdict: "block", When: policy.When{Tables: []string{"file.secret*"}}}
	r := newRig(t, allow(secret), nil, nil)
	client, target := r.session()
	// The list that was asked for comes when there is another one already.
	target.clip(offer(rdpwire.Format{ID: filesFormat, Name: fileList}))
	client.clipNext(rdpwire.ClipFormats)
	client.clip(wants(filesFormat))
	target.clipNext(rdpwire.ClipDataRequest)
	target.clip(offer(rdpwire.Format{ID: filesFormat, Name: fileList}))
	target.clip(gives(fileNames("notes.txt")))
	if m := client.clipNext(rdpwire.ClipDataResponse); m.Flags != rdpwire.ClipFail {
		t.Errorf("an old list: %+v", m)
	}
	// A part that was asked for comes when there is another list.
	if m := offers(client, target, fileNames("notes.txt")); m.Flags != rdpwire.ClipOK {
		t.Fatalf("%+v", m)
	}
	client.clip(rdpwire.Clip{Kind: rdpwire.ClipContentRequest, Body: rdpwire.AppendContent(nil, rdpwire.Content{Stream: 1, Count: 10})})
	target.clipNext(rdpwire.ClipContentRequest)
	target.clip(offer(rdpwire.Format{ID: filesFormat, Name: fileList}))
	target.clip(rdpwire.Clip{Kind: rdpwire.ClipContentResponse, Flags: rdpwire.ClipOK, Body: append(le32(1), "of secrets"...)})
	if m := client.clipNext(rdpwire.ClipContentResponse); m.Flags != rdpwire.ClipFail || bytes.Contains(m.Body, []byte("secrets")) {
		t.Errorf("a part of another file: %+v", m)
	}
}

// TestLongParts: nobody is given more of a file than was asked for, or than the file was judged to have.
func TestLongParts(t *testing.T) {
	for name, is := range map[string]struct {
		request rdpwire.Content
		answer  string
	}{
		"more than was asked for": {rdpwire.Content{Stream: 1, Count: 4}, "evil!"},
		"more than there is":      {rdpwire.Content{Stream: 1, Offset: 5, Count: 1000}, "evil!!"},
		"behind its end":          {rdpwire.Content{Stream: 1, Offset: 1 << 40, Count: 1000}, "evil"},
		"a long size":             {rdpwire.Content{Stream: 1, Size: true, Count: 8}, "evil evil"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, allow(), nil, nil)
			client, target := r.session()
			offers(client, target, fileNames("notes.txt")) // of 10 bytes
			client.clip(rdpwire.Clip{Kind: rdpwire.ClipContentRequest, Body: rdpwire.AppendContent(nil, is.request)})
			target.clipNext(rdpwire.ClipContentRequest)
			target.clip(rdpwire.Clip{Kind: rdpwire.ClipContentResponse, Flags: rdpwire.ClipOK, Body: append(le32(1), is.answer...)})
			for client.next(func(b []byte) bool {
				if bytes.Contains(b, []byte("evil")) {
					t.Errorf("the client gets %x", b)
				}
				return true
			}) != nil {
			}
		})
	}
}
