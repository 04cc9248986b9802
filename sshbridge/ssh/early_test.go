package ssh

import (
	"context"
	"testing"

	"golang.org/x/crypto/ssh"
)

func signalPayload(name string) []byte { return ssh.Marshal(struct{ Name string }{name}) }

// TestEarly: signals wait for their process, in order and not without end; one that would end it withdraws what is asked, and
// nothing else does.
func TestEarly(t *testing.T) {
	var e early
	to := make(chan *process, 1)
	ctx, asked := e.asking(context.Background())
	if !e.keep(to, signalPayload("USR1")) || ctx.Err() != nil {
		t.Error("USR1 ends nothing")
	}
	if !e.keep(to, signalPayload("TERM")) || ctx.Err() == nil {
		t.Error("TERM withdraws")
	}
	asked()
	ctx, asked = e.asking(context.Background())
	asked()
	if !e.keep(to, signalPayload("INT")) || e.giveUp != nil || ctx.Err() == nil {
		t.Error("nothing is asked any more")
	}
	for range 2 * maxEarly {
		e.keep(to, []byte("no signal"))
	}
	got := e.started(to, &process{})
	if len(got) != maxEarly || string(got[0]) != string(signalPayload("USR1")) || string(got[2]) != string(signalPayload("INT")) {
		t.Errorf("%q", got)
	}
	if e.keep(to, signalPayload("TERM")) {
		t.Error("the process is there")
	}
}
