package rdp

import (
	"bufio"
	"net"
	"sync"
	"time"

	"dragoman.dev/dragoman/internal/rdpwire"
)

// wire moves whole PDUs over a connection. One goroutine reads; any may write.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	buf  []byte

	mu  sync.Mutex
	out []byte
}

func newWire(c net.Conn) *wire {
	return &wire{conn: c, r: bufio.NewReaderSize(c, 32<<10)}
}

// read gives the next PDU, valid until the next read.
func (w *wire) read() ([]byte, error) {
	n := 0
	for have := 2; n == 0; have++ { // four bytes always tell
		head, err := w.r.Peek(have)
		if err != nil {
			return nil, err
		}
		if n, err = rdpwire.PDULength(head); err != nil {
			return nil, err
		}
	}
	if cap(w.buf) < n {
		w.buf = make([]byte, n, max(n, 16<<10))
	}
	w.buf = w.buf[:n]
	for at := 0; at < n; {
		m, err := w.r.Read(w.buf[at:])
		if err != nil {
			return nil, err
		}
		at += m
	}
	return w.buf, nil
}

// stall bounds a write to a side that does not read.
const stall = 60 * time.Second

// write sends whole PDUs.
func (w *wire) write(pdus ...[]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = w.out[:0]
	for _, p := range pdus {
		w.out = append(w.out, p...)
	}
	_ = w.conn.SetWriteDeadline(time.Now().Add(stall))
	_, err := w.conn.Write(w.out)
	return err
}

// readData reads a PDU that is not of the fast path and gives what its data TPDU carries.
func (w *wire) readData() ([]byte, error) {
	pdu, err := w.read()
	if err != nil {
		return nil, err
	}
	return rdpwire.Data(pdu)
}

func (w *wire) writeDomain(d rdpwire.Domain) error {
	return w.write(rdpwire.AppendData(nil, rdpwire.AppendDomain(nil, d)))
}

// more reports whether the next PDU is there already, whole.
func (w *wire) more() bool {
	have := w.r.Buffered()
	head, err := w.r.Peek(min(have, 4))
	if err != nil || len(head) == 0 {
		return false
	}
	n, err := rdpwire.PDULength(head)
	return err == nil && n > 0 && n <= have
}
