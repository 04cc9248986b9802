package ship

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/record"
)

// Of TestAwayForHours: 62 MiB in the spool, of which only windows may ever be in memory.
const (
	awaySessions = 32
	awayFrames   = 500 // of a session
	awayPayload  = 4 << 10
	awayTotal    = awaySessions * awayFrames * awayPayload
	// awayWriting bounds what the heap may grow by while all that is written, awayCatching while it is sent and taken in
	// (totalWindow, once at the sender and once at the receiver, and gRPC's buffers).
	awayWriting  = 8 << 20
	awayCatching = awayTotal / 2
)

// counted is an Ingest that keeps nothing but how far it is, and looks at each frame: its chain, its place, its content.
type counted struct {
	mu      sync.Mutex
	streams map[string]*record.Stream
	frames  map[string]uint64 // of responses
	wrong   []string
}

func (m *counted) Append(_ context.Context, _ string, chunks []Chunk) (acks []Ack, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range chunks {
		st := m.streams[c.Session]
		if st == nil {
			st = record.NewStream(c.Session)
			m.streams[c.Session] = st
		}
		if c.Offset > st.Offset() {
			acks = append(acks, Ack{Session: c.Session, Offset: st.Offset(), Retry: true})
			continue
		}
		data := c.Data[min(st.Offset()-c.Offset, uint64(len(c.Data))):]
		if err := st.Write(data, func(f record.Frame) error { m.frame(c.Session, f); return nil }); err != nil {
			return nil, err
		}
		acks = append(acks, Ack{Session: c.Session, Offset: st.Offset()})
	}
	return acks, nil
}

func (m *counted) frame(session string, f record.Frame) {
	if f.Kind != record.KindResponse {
		return
	}
	if n := binary.BigEndian.Uint64(f.Payload); n != m.frames[session] && len(m.wrong) < 10 {
		m.wrong = append(m.wrong, fmt.Sprintf("%s: %d came, %d should", session, n, m.frames[session]))
	}
	m.frames[session]++
}

// whole says that all sessions have ended here.
func (m *counted) whole() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, st := range m.streams {
		if !st.Ended() {
			return false
		}
	}
	return len(m.streams) == awaySessions
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// TestAwayForHours: while the control plane is away, actions go on, thousands of frames wait in the spool, and memory does not
// grow with them; when it is back, all comes, each frame once and in order, through windows of a fixed size.
func TestAwayForHours(t *testing.T) {
	m := &counted{streams: map[string]*record.Stream{}, frames: map[string]uint64{}}
	c := newControl(t, ServerOptions{Ingest: m})
	c.grpc.Stop()
	sp := spool(t, t.TempDir())
	defer sp.Close()
	run(t, Options{Spool: sp, Conn: c.dial(t), Node: "n1", Poll: 5 * time.Millisecond})

	began, most := heap(), int64(0)
	payload := make([]byte, awayPayload)
	for s := range awaySessions {
		w, err := sp.Begin(record.ModeWrite, open(fmt.Sprintf("ses_%02d", s)))
		must(t, err)
		for i := range awayFrames {
			binary.BigEndian.PutUint64(payload, uint64(i))
			must(t, w.Append(record.KindResponse, 1, payload))
			must(t, w.Flush())
		}
		must(t, w.Close(record.Close{Reason: "client"}))
		most = max(most, heap()-began)
	}
	if used := int64(sp.Used()); used < awayTotal {
		t.Fatal("the spool has ", used)
	}
	if most > awayWriting {
		t.Errorf("memory grew by %d MiB while %d MiB went into the spool", most>>20, awayTotal>>20)
	}
	written := most
	c.start(t)
	for end := time.Now().Add(4 * time.Minute); !m.whole(); time.Sleep(5 * time.Millisecond) {
		if most = max(most, heap()-began); time.Now().After(end) {
			t.Fatal("not all comes")
		}
	}
	eventually(t, "the spool is empty", func() bool { return sp.Used() == 0 && len(sp.Backlogs(nil)) == 0 })
	if most > awayCatching {
		t.Errorf("memory grew by %d MiB while %d MiB were sent", most>>20, awayTotal>>20)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for s, n := range m.frames {
		if n != awayFrames {
			t.Errorf("%s: %d frames of %d", s, n, awayFrames)
		}
	}
	if len(m.wrong) > 0 {
		t.Error(m.wrong)
	}
	t.Logf("%d frames, %d MiB: memory grew by %.1f MiB while they were written, by %.1f MiB until they were there",
		awaySessions*awayFrames, awayTotal>>20, float64(written)/(1<<20), float64(most)/(1<<20))
}
