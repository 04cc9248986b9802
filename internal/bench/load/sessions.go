package load

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/proc"
)

// connect opens a session; the first statement's answer says that it serves.
func connect(ctx context.Context, p *peer.Peer) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig(p.DSN())
	if err != nil {
		return nil, err
	}
	config.Password = p.Password
	c, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting through %s: %w", p.Name, err)
	}
	return c, nil
}

// Open is the median time from the first packet to ReadyForQuery, over n
// sessions one after another. Closing them does not count.
func Open(ctx context.Context, p *peer.Peer, n int) (time.Duration, error) {
	times := make([]time.Duration, 0, n)
	for range n {
		start := time.Now()
		c, err := connect(ctx, p)
		if err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
		if err := c.Close(ctx); err != nil {
			return 0, err
		}
	}
	slices.Sort(times)
	return times[n/2], nil
}

// settle is how long memory gets to come to rest.
const settle = 3 * time.Second

// IdleMemory opens n sessions, each of which runs one statement, and returns by
// how many bytes a session the proxy has grown. The peer should be new: memory that
// was freed before would be used again and not count.
func IdleMemory(ctx context.Context, p *peer.Peer, n int) (float64, error) {
	if p.Proxy == 0 {
		return 0, nil
	}
	if err := WarmUp(ctx, p); err != nil {
		return 0, err
	}
	before, err := proc.RSS(p.Proxy)
	if err != nil {
		return 0, err
	}
	conns, err := openMany(ctx, p, n)
	defer closeMany(ctx, conns)
	if err != nil {
		return 0, err
	}
	time.Sleep(settle)
	after, err := proc.RSS(p.Proxy)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(n), nil
}

// WarmUp opens and uses a few sessions, so that what a proxy sets up once is there.
func WarmUp(ctx context.Context, p *peer.Peer) error {
	conns, err := openMany(ctx, p, 20)
	closeMany(ctx, conns)
	time.Sleep(settle / 3)
	return err
}

// parallel is how many sessions are being opened at a time.
const parallel = 8

// openMany opens n sessions; what it has opened when one fails is returned too.
func openMany(ctx context.Context, p *peer.Peer, n int) ([]*pgconn.PgConn, error) {
	var (
		mu    sync.Mutex
		conns []*pgconn.PgConn
		first error
		wg    sync.WaitGroup
	)
	todo := make(chan struct{}, n)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	for range parallel {
		wg.Go(func() {
			for range todo {
				c, err := openOne(ctx, p)
				mu.Lock()
				if c != nil {
					conns = append(conns, c)
				}
				if err != nil && first == nil {
					first = err
				}
				failed := first != nil
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	wg.Wait()
	return conns, first
}

func openOne(ctx context.Context, p *peer.Peer) (*pgconn.PgConn, error) {
	c, err := connect(ctx, p)
	if err != nil {
		return nil, err
	}
	_, err = c.Exec(ctx, "SELECT abalance FROM pgbench_accounts WHERE aid = 1").ReadAll()
	return c, err
}

func closeMany(ctx context.Context, conns []*pgconn.PgConn) {
	for _, c := range conns {
		c.Close(ctx)
	}
}
