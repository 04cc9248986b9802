package rdp

import (
	"image"
	"image/draw"
	"slices"
	"sync"

	"dragoman.dev/dragoman/internal/rdpscreen"
	"dragoman.dev/dragoman/internal/rdpwire"
	"dragoman.dev/dragoman/internal/session"
)

// notices are words over the target's picture, while something that the client does waits for people. The target's picture is
// kept, and shown again when nobody waits any more; what the target draws meanwhile may cover them.
type notices struct {
	mu    sync.Mutex // also of the conn's screen
	depth int
	lines []string
	rows  int // of the picture that are covered
}

// notice shows words; the function takes them away.
func (c *conn) notice(words string) (done func()) {
	n := &c.notices
	n.mu.Lock()
	n.lines = append(n.lines, words)
	c.draw()
	n.mu.Unlock()
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if i := slices.Index(n.lines, words); i >= 0 {
			n.lines = slices.Delete(n.lines, i, i+1)
		}
		c.draw()
	}
}

// draw shows the picture where words were, and the words that there are.
func (c *conn) draw() {
	n, img := &c.notices, c.screen.Image()
	if img == nil || n.depth <= 8 || !c.taken.Load() { // a palette is the target's
		return
	}
	width, height := img.Bounds().Dx(), img.Bounds().Dy()
	var all []rdpwire.Update
	if n.rows > 0 {
		under := image.NewRGBA(image.Rect(0, 0, (width+3)&^3, min(n.rows, height)))
		draw.Draw(under, under.Rect, img, image.Point{}, draw.Src)
		all, n.rows = rdpscreen.Updates(under, width, n.depth), 0
	}
	if len(n.lines) > 0 {
		lines := rdpscreen.Notice(append([]string{"Dragoman"}, n.lines...), width, height, n.depth)
		n.rows = rdpscreen.NoticeRows(append([]string{"Dragoman"}, n.lines...), width, height)
		all = append(all, lines...)
	}
	var pdus [][]byte
	for _, u := range all {
		pdu := rdpwire.AppendUpdate(nil, u)
		if !c.lobby.fastOutput() {
			pdu = c.shareToClient(rdpwire.Share{Kind: rdpwire.ShareData, ShareID: c.share.Load(), Type: rdpwire.DataUpdate, Body: u.Data})
		}
		pdus = append(pdus, pdu)
	}
	err := c.span.Commit(func(b *session.Batch) {
		for _, p := range pdus {
			b.Response(c.desktop.Ordinal, p)
		}
	})
	if err == nil {
		err = c.client.write(pdus...)
	}
	if err != nil {
		c.log.Debug("a notice is not drawn", "err", err)
	}
}
