package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"dragoman.dev/dragoman/internal/bench/peer"
	"dragoman.dev/dragoman/internal/bench/proc"
)

// The long read: every row of customers, with one column that a mask is on.
const longRead = "SELECT id, name, email, city, balance, created, notes FROM customers"

// emailColumn is its masked column.
const emailColumn = 2

// Read is what a long read took.
type Read struct {
	Rows, Bytes int64
	Time        time.Duration
	CPU         time.Duration // of the proxy
	// Growth is by how many bytes the proxy's memory was larger at its peak than
	// before.
	Growth int64
}

// RowsPerSecond of the read.
func (r Read) RowsPerSecond() float64 { return float64(r.Rows) / r.Time.Seconds() }

// LongRead reads all rows through a new session, as text, as psql would, and
// drops them. Of dragoman it makes sure that the column is masked.
func LongRead(ctx context.Context, p *peer.Peer) (Read, error) {
	c, err := openOne(ctx, p)
	if err != nil {
		return Read{}, err
	}
	defer c.Close(ctx)
	var before int64
	var cpu usage
	if p.Proxy != 0 {
		if err := proc.ResetPeak(p.Proxy); err != nil {
			return Read{}, err
		}
		if before, err = proc.RSS(p.Proxy); err != nil {
			return Read{}, err
		}
		if cpu, err = takeUsage(p); err != nil {
			return Read{}, err
		}
	}
	start := time.Now()
	r, clear, err := drain(c.Exec(ctx, longRead))
	if err != nil {
		return Read{}, fmt.Errorf("the long read through %s: %w", p.Name, err)
	}
	r.Time = time.Since(start)
	if err := check(p, r, clear); err != nil {
		return Read{}, err
	}
	if p.Proxy == 0 {
		return r, nil
	}
	return r, r.account(p, before, cpu)
}

// drain takes all rows and counts the masked column's values that are in the clear.
func drain(results *pgconn.MultiResultReader) (r Read, clear int, err error) {
	for results.NextResult() {
		rows := results.ResultReader()
		for rows.NextRow() {
			r.Rows++
			for i, v := range rows.Values() {
				r.Bytes += int64(len(v))
				if i == emailColumn && strings.HasPrefix(string(v), "customer") {
					clear++
				}
			}
		}
	}
	return r, clear, results.Close()
}

func (r *Read) account(p *peer.Peer, before int64, cpu usage) error {
	after, err := takeUsage(p)
	if err != nil {
		return err
	}
	peak, err := proc.PeakRSS(p.Proxy)
	if err != nil {
		return err
	}
	r.CPU, r.Growth = after.proxy-cpu.proxy, max(0, peak-before)
	return nil
}

// check makes sure that what was measured is what was meant.
func check(p *peer.Peer, r Read, clear int) error {
	if r.Rows != peer.Rows {
		return fmt.Errorf("the long read through %s gave %d rows, not %d", p.Name, r.Rows, peer.Rows)
	}
	if p.Name == peer.Dragoman && clear > 0 {
		return fmt.Errorf("the long read through %s showed %d masked values", p.Name, clear)
	}
	if p.Name != peer.Dragoman && clear != peer.Rows {
		return fmt.Errorf("the long read through %s lost values", p.Name)
	}
	return nil
}
