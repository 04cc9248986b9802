//go:build rdp

package rdpe2e

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/e2erig"
	"dragoman.dev/dragoman/internal/rdpclient"
	"dragoman.dev/dragoman/internal/rdpkeys"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/record"
)

// lobbyShare is the bridge's own desktop, which is not the target's and is in no record.
const lobbyShare = 0x000203ea

var marker = regexp.MustCompile(`k-[0-9]+-[0-9]+`)

// evidence is what came out of the gateway, at either end.
type evidence struct {
	mu    sync.Mutex
	shown map[[32]byte]string // pictures and messages of the clipboard that the client was sent, whole PDUs
	lobby bool
	texts atomic.Int64 // that the client was given by the clipboard
	typed atomic.Int64
}

func (e *evidence) keep(what string, pdu []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if what != "picture" || !e.lobby {
		e.shown[sha256.Sum256(pdu)] = what
	}
}

func (e *evidence) in(share uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lobby = share == lobbyShare
}

// TestZKill kills Envoy, the bridge with the control plane, or both, while a desktop is used. Each picture and each message of
// the clipboard that had reached the client is in a record, and so is each key and each text that had reached the target. It is the last
// test, since the others have no use for it.
func TestZKill(t *testing.T) {
	e := &evidence{shown: map[[32]byte]string{}, lobby: true}
	token := shared.token(t, "agent:kill", "ops")
	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for running(stop) {
			desk(t, e, token, stop)
		}
	})
	pastes := &pastes{seen: map[string]bool{}}
	load.Go(func() { pastes.hammer(stop) })
	ran := func() []string {
		b, _ := os.ReadFile(filepath.Join(shared.xrdp.Home(), "ran"))
		return marker.FindAllString(string(b), -1)
	}
	goesOn := func() {
		lines, texts, pasted := len(ran()), e.texts.Load(), pastes.count()
		await(t, "keys, pictures and pastes", func() bool {
			return len(ran()) > lines+3 && e.texts.Load() > texts && pastes.count() > pasted
		})
	}
	began := time.Now()
	for what := range 3 {
		goesOn()
		t.Logf("after %v: strike %d", time.Since(began).Round(time.Millisecond), what)
		if err := shared.Strike(what); err != nil {
			t.Fatal(err)
		}
	}
	goesOn()
	close(stop)
	load.Wait()
	t.Logf("after %v: all is over", time.Since(began).Round(time.Millisecond))

	var missing []string
	await(t, "the records are complete", func() bool {
		missing = missing[:0]
		kept := recorded(t, filepath.Join(shared.Dir, "data"))
		for sum, what := range e.shown {
			if !kept.shown[sum] {
				missing = append(missing, what)
			}
		}
		for _, m := range append(ran(), pastes.list()...) {
			if !kept.sent[m] {
				missing = append(missing, m)
			}
		}
		return len(missing) == 0 || t.Failed()
	})
	counts := map[string]int{}
	for _, what := range e.shown {
		counts[what]++
	}
	t.Logf("the client was sent %d pictures and %d messages of the clipboard, %d texts; at the target %d lines were typed and %d texts pasted; %d without a frame",
		counts["picture"], counts["clipboard"], e.texts.Load(), len(ran()), pastes.count(), len(missing))
	if counts["picture"] < 20 {
		t.Error("hardly anything was drawn")
	}
	shared.must(t, "audit", "verify")
}

func running(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	default:
		return true
	}
}

// desk is one session: lines are typed into its terminal, and its clipboard gives and takes texts, until it ends.
func desk(t *testing.T, e *evidence, token string, stop <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := rdpclient.Dial(ctx, rdpclient.Options{Address: fmt.Sprintf("127.0.0.1:%d", shared.ports["clear"]), User: "clear", Password: token,
		Width: width, Height: height, Channels: []string{"cliprdr"}})
	if err != nil {
		time.Sleep(50 * time.Millisecond) // the gateway is away
		return
	}
	over := make(chan struct{})
	var typing sync.WaitGroup
	defer typing.Wait()
	defer close(over)
	defer c.Close()
	e.in(lobbyShare)
	clip := &clip{c: c, e: e, join: rdpwire.Joiner{Max: 1 << 20}}
	ready := sync.OnceFunc(func() {
		typing.Go(func() {
			defer c.Close() // so that Run ends
			types(c, e, stop, over)
		})
	})
	err = c.Run(rdpclient.Events{
		Desktop: func(share uint32, _, _ int) { e.in(share) },
		Ready: func(share uint32) {
			if share != lobbyShare {
				ready()
			}
		},
		Updates: func(pdu []byte, _ []rdpwire.Update) { e.keep("picture", pdu) },
		Channel: func(_ string, pdu, data []byte) {
			e.keep("clipboard", pdu)
			clip.receive(data)
		},
	})
	t.Logf("a session is over: %v", err)
}

// types types lines until the session or the test is over.
func types(c *rdpclient.Client, e *evidence, stop, over <-chan struct{}) {
	const move = 0x0800
	for running(stop) && running(over) {
		n := e.typed.Add(1)
		if c.Input(rdpwire.Input{Kind: rdpwire.InputMouse, Flags: move, X: 200, Y: 100}) != nil || c.Type(fmt.Sprintf("echo k-0-%d >> ran\n", n)) != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// clip is the client's clipboard: it offers a text, another one each time, and asks for each that it is offered.
type clip struct {
	c    *rdpclient.Client
	e    *evidence
	join rdpwire.Joiner
}

var gaveTexts atomic.Int64

func (k *clip) receive(data []byte) {
	b, err := k.join.Add(data)
	if err != nil || b == nil {
		return
	}
	m, err := rdpwire.ParseClip(b)
	if err != nil {
		return
	}
	say := func(kind, flags uint16, body []byte) {
		_ = k.c.Message("cliprdr", rdpwire.AppendClip(nil, rdpwire.Clip{Kind: kind, Flags: flags, Body: body})) // it may be over
	}
	text := []byte{13, 0, 0, 0} // CF_UNICODETEXT
	offer := func() { say(rdpwire.ClipFormats, 0, rdpwire.AppendFormats(nil, []rdpwire.Format{{ID: 13}}, false)) }
	switch m.Kind {
	case rdpwire.ClipReady:
		say(rdpwire.ClipCapabilities, 0, rdpwire.TrimClipCapabilities(nil))
		offer()
	case rdpwire.ClipFormats:
		say(rdpwire.ClipFormatsAnswer, rdpwire.ClipOK, nil)
		say(rdpwire.ClipDataRequest, 0, text)
	case rdpwire.ClipDataRequest:
		say(rdpwire.ClipDataResponse, rdpwire.ClipOK, append(rdpwire.AppendText(nil, fmt.Sprintf("k-8-%d", gaveTexts.Add(1))), 0, 0))
	case rdpwire.ClipDataResponse:
		if marker.MatchString(rdpwire.Text(m.Body)) {
			k.e.texts.Add(1)
		}
		offer() // the target's was the newer one
	}
}

// pastes are the texts that were pasted at the target.
type pastes struct {
	mu   sync.Mutex
	seen map[string]bool
}

// hammer pastes at the target, and copies there, in turn.
func (p *pastes) hammer(stop <-chan struct{}) {
	for n := 0; running(stop); n++ {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_, err := shared.xrdp.Run(ctx, fmt.Sprintf("k-7-%d", n), "sh", "-c", "exec xclip -i -selection clipboard >/dev/null 2>&1")
		cancel()
		if err != nil {
			time.Sleep(50 * time.Millisecond) // there is no session now
		}
		for range 20 {
			if m := marker.FindString(pasted(shared.xrdp.Run)); strings.HasPrefix(m, "k-8-") {
				p.mu.Lock()
				p.seen[m] = true
				p.mu.Unlock()
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

func (p *pastes) count() int { return len(p.list()) }

func (p *pastes) list() (out []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for m := range p.seen {
		out = append(out, m)
	}
	return out
}

// kept is what records hold: PDUs that were sent to clients, and the markers in keys and texts that were sent to targets.
type kept struct {
	shown map[[32]byte]bool
	sent  map[string]bool
}

// recorded reads whatever file of a record is below the data folder.
func recorded(t *testing.T, data string) kept {
	t.Helper()
	k := kept{shown: map[[32]byte]bool{}, sent: map[string]bool{}}
	var keys rdpkeys.Typist
	var typed strings.Builder
	err := e2erig.Frames(data, func(f *record.Frame) {
		switch f.Kind {
		case record.KindOpen, record.KindClose, record.KindRequest, record.KindResponse:
		default:
			return
		}
		for rest := f.Payload; len(rest) > 0; {
			n, err := rdpwire.PDULength(rest)
			if err != nil || n == 0 || n > len(rest) {
				typed.WriteString(" ") // another session
				break
			}
			pdu := rest[:n]
			rest = rest[n:]
			switch {
			case f.Kind == record.KindResponse:
				k.shown[sha256.Sum256(pdu)] = true
			case rdpwire.IsTPKT(pdu): // the clipboard's; its text is in UTF-16
				k.marks(strings.ReplaceAll(string(pdu), "\x00", ""))
			default:
				events, _ := rdpwire.ParseFastInput(pdu)
				for _, in := range events {
					typed.WriteString(keys.Type(in))
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	k.marks(typed.String())
	return k
}

func (k kept) marks(text string) {
	for _, m := range marker.FindAllString(text, -1) {
		k.sent[m] = true
	}
}
