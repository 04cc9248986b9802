package rdp

import (
	"bytes"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/rdpscreen"
	"dragoman.dev/dragoman/internal/rdpwire"
)

// updatesOf are the updates that a PDU of the target's desktop shows.
func updatesOf(pdu []byte) []rdpwire.Update {
	if !rdpwire.IsTPKT(pdu) {
		list, _ := rdpwire.ParseUpdates(pdu)
		return list
	}
	if s, ok := shareOf(pdu); ok && s.Kind == rdpwire.ShareData && s.Type == rdpwire.DataUpdate && s.ShareID == targetShare {
		if u, err := rdpwire.SlowUpdate(s.Body); err == nil {
			return []rdpwire.Update{u}
		}
	}
	return nil
}

// TestHeldPaste: while a paste waits for people the client sees why, and afterwards what was there before.
func TestHeldPaste(t *testing.T) {
	r := newRig(t, []policy.Rule{{Name: "ask", Verdict: "hold", When: policy.When{Verbs: []string{"write"}}, Approvers: []string{"leads"}}, {Name: "all", Verdict: "allow"}}, nil, nil)
	client, target := r.session()
	var screen rdpscreen.Screen
	if err := screen.Resize(640, 480); err != nil {
		t.Fatal(err)
	}
	show := func(pdu []byte) {
		for _, u := range updatesOf(pdu) {
			if err := screen.Apply(u); err != nil {
				t.Error(err)
			}
		}
	}
	if err := target.w.write(picture("before")); err != nil {
		t.Fatal(err)
	}
	show(client.next(contains("before")))
	before := bytes.Clone(screen.Image().Pix)
	client.clip(offer(rdpwire.Format{ID: 13}))
	target.clipNext(rdpwire.ClipFormats)
	target.clip(wants(13))
	client.clipNext(rdpwire.ClipDataRequest)
	client.clip(gives(append(rdpwire.AppendText(nil, "asked for"), 0, 0)))
	noticed := false
	client.next(func(pdu []byte) bool {
		show(pdu)
		same := bytes.Equal(screen.Image().Pix, before)
		noticed = noticed || !same
		return noticed && same
	})
	if m := target.clipNext(rdpwire.ClipDataResponse); m.Flags != rdpwire.ClipFail { // the rig's people do not answer
		t.Errorf("%+v", m)
	}
}

// TestIdle: a desktop at which nobody does anything ends, whatever it shows.
func TestIdle(t *testing.T) {
	r := newRig(t, allow(), nil, func(t *Target) { t.Idle = time.Second })
	client, target := r.session()
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				_ = target.w.write(picture("the clock moves"))
			}
		}
	}()
	defer close(stop)
	client.next(func([]byte) bool { return false })
	if !bytes.Contains(r.recorded(), []byte("idle for too long")) {
		t.Error("the record does not say why it ended")
	}
}
