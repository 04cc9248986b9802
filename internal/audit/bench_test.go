package audit

import (
	"fmt"
	"testing"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/record/ship"
)

// BenchmarkIngest: actions per second that are taken in, fsynced and indexed, 64 KiB pieces of 8
// sessions a batch.
func BenchmarkIngest(b *testing.B) {
	s := openStore(b, b.TempDir())
	defer s.Close()
	const perSession, piece = 2000, 64 << 10
	actions := 0
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		var streams [8][]byte
		for i := range streams {
			sp := newSpool(b)
			w, err := sp.Begin(record.ModeWrite, openFrame(fmt.Sprintf("ses_%d_%d", n, i), "agent:a"))
			must(b, err)
			writeSession(b, w, perSession, "select abalance from pgbench_accounts where aid = $1")
			must(b, w.Close(record.Close{Reason: "client"}))
			for {
				buf := make([]byte, 1<<20)
				k, err := sp.ReadAt(w.Session(), buf, uint64(len(streams[i])))
				must(b, err)
				if k == 0 {
					break
				}
				streams[i] = append(streams[i], buf[:k]...)
			}
		}
		b.StartTimer()
		for off := 0; off < len(streams[0]); off += piece {
			var chunks []ship.Chunk
			for i, st := range streams {
				if off < len(st) {
					chunks = append(chunks, ship.Chunk{Session: fmt.Sprintf("ses_%d_%d", n, i), Offset: uint64(off), Data: st[off:min(off+piece, len(st))]})
				}
			}
			acks, err := s.Append(b.Context(), "n1", chunks)
			must(b, err)
			for _, a := range acks {
				if a.Retry || a.Diverged {
					b.Fatal(a)
				}
			}
		}
		actions += perSession * len(streams)
	}
	b.ReportMetric(float64(actions)/b.Elapsed().Seconds(), "actions/s")
}
