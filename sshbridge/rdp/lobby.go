package rdp

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"dragoman.dev/dragoman/internal/rdpscreen"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/sshbridge/gate"
)

// Codes of Set Error Info (MS-RDPBCGR 2.2.5.1.1).
const (
	errorByAdmin = 0x00000001 // ended by an administrative tool
	errorDenied  = 0x00000007 // the server denied the connection
)

// lobbyShare is the share that the client is in before the target's.
const lobbyShare = 0x000203ea

// lobby is a desktop of our own, which the client sees while its session is being opened: there people are waited for, and
// there a refusal can be read. The target's desktop follows it as any change of desktop does (deactivation and reactivation).
type lobby struct {
	c                    *conn
	open                 atomic.Bool // the client is in it
	width, height, depth int

	mu     sync.Mutex
	share  uint32 // that the client is in
	fast   bool   // the client takes updates by the fast path
	shown  bool   // it draws
	lines  []string
	active chan struct{} // closed when it draws

	pressed chan struct{} // has one when a key or button was pressed
}

func newLobby(c *conn) *lobby {
	o := c.data.Core
	depth := int(o.Depth)
	switch {
	case o.Want32 && (depth == 24 || depth == 0):
		depth = 32
	case depth != 8 && depth != 15 && depth != 16 && depth != 24:
		depth = 16
	}
	return &lobby{c: c, width: int(o.Width), height: int(o.Height), depth: depth, share: lobbyShare, active: make(chan struct{}),
		pressed: make(chan struct{}, 1)}
}

// begin ends licensing and asks the client in.
func (l *lobby) begin() error {
	l.open.Store(true)
	sets := rdpwire.ServerSets(uint16(l.width), uint16(l.height), uint16(l.depth))
	return l.c.client.write(l.c.toClient(ioChannel, rdpwire.AppendLicenseValid(nil)), l.c.shareToClient(rdpwire.Share{
		Kind: rdpwire.ShareDemandActive, Body: rdpwire.AppendDemandActive(nil, rdpwire.Active{ShareID: lobbyShare, Sets: sets})}))
}

// toClient is a PDU with data for the client.
func (c *conn) toClient(channel uint16, data []byte) []byte {
	return rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.SendIndicate, User: serverUser, Channel: channel, Data: data}))
}

func (c *conn) shareToClient(s rdpwire.Share) []byte {
	s.Source = serverUser
	return c.toClient(ioChannel, rdpwire.AppendShare(nil, s))
}

// share handles one share PDU of the client.
func (l *lobby) receive(s rdpwire.Share) error {
	switch {
	case s.Kind == rdpwire.ShareConfirmActive:
		a, err := rdpwire.ParseConfirmActive(s.Body)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.fast = rdpwire.FastOutput(a.Sets)
		l.mu.Unlock()
		return nil
	case s.Kind != rdpwire.ShareData:
		return fmt.Errorf("share PDU %d before the target", s.Kind)
	}
	answer := rdpwire.Share{Kind: rdpwire.ShareData, ShareID: lobbyShare, Type: s.Type}
	switch s.Type { // 1.3.1.1, connection finalization
	case rdpwire.DataSynchronize:
		answer.Body = []byte{1, 0, clientUser & 0xff, clientUser >> 8}
	case rdpwire.DataControl:
		if len(s.Body) < 2 {
			return rdpwire.ErrShort
		}
		const request, cooperate, granted = 1, 4, 2
		switch s.Body[0] {
		case cooperate:
			answer.Body = []byte{cooperate, 0, 0, 0, 0, 0, 0, 0}
		case request:
			answer.Body = []byte{granted, 0, clientUser & 0xff, clientUser >> 8, serverUser & 0xff, serverUser >> 8, 0, 0}
		default:
			return nil
		}
	case rdpwire.DataFontList:
		answer.Type, answer.Body = rdpwire.DataFontMap, []byte{0, 0, 0, 0, 3, 0, 4, 0}
	case rdpwire.DataInput:
		events, err := rdpwire.ParseSlowInput(s.Body)
		l.input(events)
		return err
	default: // there is nobody to take it
		return nil
	}
	if err := l.c.client.write(l.c.shareToClient(answer)); err != nil || s.Type != rdpwire.DataFontList {
		return err
	}
	l.mu.Lock()
	first := !l.shown
	l.shown = true
	l.mu.Unlock()
	err := l.draw()
	if first { // behind what was drawn, since who waits for it may show another desktop
		close(l.active)
	}
	return err
}

// input is taken as a sign that somebody has read what stands there.
func (l *lobby) input(events []rdpwire.Input) {
	for _, in := range events {
		const buttonDown = 0x8000
		key := in.Kind == rdpwire.InputKey && !in.Release
		if key || in.Kind == rdpwire.InputMouse && in.Flags&buttonDown != 0 {
			select {
			case l.pressed <- struct{}{}:
			default:
			}
		}
	}
}

// say shows lines in the place of those before.
func (l *lobby) say(lines ...string) {
	l.mu.Lock()
	l.lines = lines
	l.mu.Unlock()
	if err := l.draw(); err != nil {
		l.c.log.Debug("a notice is not drawn", "err", err)
	}
}

func (l *lobby) fastOutput() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fast
}

func (l *lobby) draw() error {
	l.mu.Lock()
	lines, shown, fast := append([]string{"Dragoman", ""}, l.lines...), l.shown, l.fast
	l.mu.Unlock()
	if !shown || !l.open.Load() {
		return nil
	}
	lines = append(lines, "", "", "") // what was longer is covered
	for _, u := range rdpscreen.Notice(lines, l.width, l.height, l.depth) {
		pdu := rdpwire.AppendUpdate(nil, u)
		if !fast {
			pdu = l.c.shareToClient(rdpwire.Share{Kind: rdpwire.ShareData, ShareID: lobbyShare, Type: rdpwire.DataUpdate, Body: u.Data})
		}
		if err := l.c.client.write(pdu); err != nil {
			return err
		}
	}
	return nil
}

// wait is until the client draws, so that it can be shown another desktop.
func (l *lobby) wait() error {
	t := time.NewTimer(defaultLogin)
	defer t.Stop()
	select {
	case <-l.active:
		return nil
	case <-l.c.ctx.Done():
		return l.c.ctx.Err()
	case <-t.C:
		return fmt.Errorf("the client does not take the desktop")
	}
}

// readTime is how long a refusal stands on the screen, unless somebody presses a key or a button.
const readTime = 20 * time.Second

// refuse shows why there is no session, and ends the connection.
func (l *lobby) refuse(words string) {
	l.c.log.Info("an RDP login is refused", "words", words)
	select { // what was pressed before is about nothing
	case <-l.pressed:
	default:
	}
	l.say("There is no session:", gate.Printable(words, 1024), "", "Press a key to close this.")
	if l.wait() == nil {
		select {
		case <-time.After(readTime):
		case <-l.pressed:
		case <-l.c.ctx.Done():
		}
	}
	l.disconnect(errorDenied)
	l.c.linger(2 * farewellTime)
}

// disconnect tells the client's program a reason and ends MCS.
func (l *lobby) disconnect(code uint32) {
	if l.c.client == nil {
		return
	}
	l.mu.Lock()
	share := l.share
	l.mu.Unlock()
	const userRequested = 3
	_ = l.c.client.write(l.c.shareToClient(rdpwire.Share{Kind: rdpwire.ShareData, ShareID: share, Type: rdpwire.DataErrorInfo,
		Body: binary.LittleEndian.AppendUint32(nil, code)}),
		rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, rdpwire.Domain{Kind: rdpwire.Disconnect, Reason: userRequested})))
}

// leave takes the client out of its share; the target's Demand Active is to follow.
func (l *lobby) leave(next uint32) []byte {
	l.mu.Lock()
	share := l.share
	l.share = next
	l.mu.Unlock()
	l.open.Store(false)
	body := binary.LittleEndian.AppendUint32(nil, share)
	return l.c.shareToClient(rdpwire.Share{Kind: rdpwire.ShareDeactivate, Body: append(body, 1, 0, 0)})
}

// enter notes the share that the client is in.
func (l *lobby) enter(share uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.share = share
	l.open.Store(false)
}
