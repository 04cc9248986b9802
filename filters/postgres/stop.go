package postgres

import (
	"context"
	"io"
	"net"
	"time"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/session"
)

// A server does not notice that its client is gone as long as a statement runs: it would go on, and commit.
// So when a session ends with statements in flight, the gateway has the target cancel them. The request takes
// the way of a client's own cancel request, since only a new connection through Envoy gets to the
// target: the gateway connects to its own listener, with a key made for the purpose.

// leftBehind is what a cancel key stands for when the session that it was of has ended.
type leftBehind targetKey

// When the target is asked to cancel, after the end of the session: more than once, because a request that comes
// before the statement has begun hits nothing, and one hits only one of several statements of a pipeline. The
// target ignores a key whose session has ended.
var stopTimes = [...]time.Duration{0, 30 * time.Millisecond, 150 * time.Millisecond, 500 * time.Millisecond, time.Second}

const (
	// maxStops bounds how many such requests are under way at a time, for each target.
	maxStops = 16
	// stopPatience bounds all of it; stopTimeout one request.
	stopPatience = 5 * time.Second
	stopTimeout  = 2 * time.Second
)

// stopTarget has the target cancel what the session left behind. It is best effort: nobody waits for it.
func (c *conn) stopTarget() {
	key, local := c.target, c.host.LocalAddr()
	c.target = targetKey{}
	if key.secret == nil || local == "" {
		return
	}
	k := &session.Cancel{PID: key.pid, Secret: newSecret(wire.Version32), Session: leftBehind(key),
		Post: func(func()) bool { return false }}
	forget := c.t.rt.AddCancel(k)
	request := wire.AppendCancel(nil, k.PID, k.Secret)
	go func() {
		defer forget()
		ctx, stop := context.WithTimeout(context.Background(), stopPatience)
		defer stop()
		began := time.Now()
		for _, at := range stopTimes {
			select {
			case <-time.After(at - time.Since(began)):
			case <-ctx.Done():
				return
			}
			if err := c.t.sendStop(ctx, local, request); err != nil {
				c.t.rt.Log().Warn("cancel request for a session that has ended", "target", c.cfg.Target.Name, "error", err)
			}
		}
	}()
}

// sendStop sends a cancel request to a listener of ours and waits until it has been dealt with.
func (t *target) sendStop(ctx context.Context, local string, request []byte) error {
	select {
	case t.stops <- struct{}{}:
		defer func() { <-t.stops }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, stop := context.WithTimeout(ctx, stopTimeout)
	defer stop()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", local)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(conn, 1))
	return err
}
