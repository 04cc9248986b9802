package load

import (
	"context"
	"fmt"
	"time"

	"dragoman.dev/dragoman/internal/bench/peer"
)

const (
	// A peer is quiet when all records are sealed and it uses less than quietShare
	// of a core over quietFor.
	quietFor   = 300 * time.Millisecond
	quietShare = 0.04
	// mostQuiet bounds the wait for it.
	mostQuiet = time.Minute
)

// Quiet waits until the peer, all of whose sessions have ended, has nothing left to do,
// and returns what CPU it took until then. Records are sealed after their
// session has ended: that belongs to the work that made them, and must not disturb
// the next measurement.
func Quiet(ctx context.Context, p *peer.Peer) (time.Duration, error) {
	if p.Control == 0 {
		return 0, nil
	}
	first, err := total(p)
	if err != nil {
		return 0, err
	}
	last := first
	for end := time.Now().Add(mostQuiet); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(quietFor):
		}
		now, err := total(p)
		if err != nil {
			return 0, err
		}
		records, err := p.Records()
		if err != nil {
			return 0, err
		}
		if records.Live == 0 && now-last < time.Duration(quietShare*float64(quietFor)) {
			return now - first, nil
		}
		last = now
	}
	return 0, fmt.Errorf("%s is still at work %s after its last session has ended", p.Name, mostQuiet)
}

// total is the CPU of the proxy and its control plane.
func total(p *peer.Peer) (time.Duration, error) {
	u, err := takeUsage(p)
	return u.proxy + u.control, err
}
