package main

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/rdpclient"
	"dragoman.dev/dragoman/internal/rdpscreen"
	"dragoman.dev/dragoman/internal/rdpwire"
)

// lobbyShare is the gateway's own desktop.
const lobbyShare = 0x000203ea

// session is a client whose desktop is drawn in memory.
type session struct {
	*rdpclient.Client
	mu      sync.Mutex
	screen  rdpscreen.Screen
	lobby   bool
	err     error
	bytes   int64
	changed chan struct{} // has one when something was drawn
	ended   chan struct{}
}

func (r *rig) open(ctx context.Context, peer, target string) (*session, error) {
	c, err := r.dial(ctx, peer, target)
	if err != nil {
		return nil, err
	}
	s := &session{Client: c, changed: make(chan struct{}, 1), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		err := c.Run(rdpclient.Events{Desktop: s.desktop, Updates: s.updates})
		s.mu.Lock()
		s.err = errors.Join(s.err, err)
		s.mu.Unlock()
	}()
	return s, nil
}

func (s *session) desktop(share uint32, width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lobby = share == lobbyShare
	s.err = errors.Join(s.err, s.screen.Resize(width, height))
}

func (s *session) updates(pdu []byte, list []rdpwire.Update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes += int64(len(pdu)); s.lobby {
		return
	}
	for _, u := range list {
		s.err = errors.Join(s.err, s.screen.Apply(u))
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// await waits until the desktop shows something.
func (s *session) await(ctx context.Context, what string, is func(at func(x, y int) color.RGBA) bool) error {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		img, err, lobby := s.screen.Image(), s.err, s.lobby
		ok := err == nil && img != nil && !lobby && is(img.RGBAAt)
		s.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-s.changed:
		case <-s.ended:
			s.mu.Lock()
			defer s.mu.Unlock()
			return fmt.Errorf("the session ended while it was waited for %s: %w", what, s.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("it did not come: %s", what)
		}
	}
}

// received is how many bytes of pictures have come.
func (s *session) received() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

func (s *session) close() {
	_ = s.Close()
	<-s.ended
}
