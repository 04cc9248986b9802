package front

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// headerTime bounds the wait for Envoy's header, which comes with the connection.
const headerTime = 5 * time.Second

// Acceptor takes connections from Envoy, each with its header, to what speaks a protocol.
type Acceptor struct {
	Log *slog.Logger
	// Serve has a connection until it returns; it is closed then. Its mistakes end that connection only.
	Serve func(raw net.Conn, f Front)

	wg sync.WaitGroup // those too that have not said whose they are
}

// Accept takes connections until the listener is closed.
func (a *Acceptor) Accept(l net.Listener) error {
	for {
		raw, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		a.wg.Go(func() { a.serve(raw) })
	}
}

func (a *Acceptor) serve(raw net.Conn) {
	defer raw.Close()
	defer Caught(a.Log, "a bridged connection")
	_ = raw.SetReadDeadline(time.Now().Add(headerTime))
	f, err := Read(raw)
	if err != nil {
		a.Log.Warn("a connection to the bridge is refused", "err", err)
		return
	}
	_ = raw.SetReadDeadline(time.Time{})
	a.Serve(raw, f)
}

// Wait returns when all connections are over.
func (a *Acceptor) Wait() { a.wg.Wait() }

// Caught keeps one connection's mistake to that one. It must be deferred itself.
func Caught(log *slog.Logger, where string) {
	if p := recover(); p != nil {
		log.Error("panic in "+where, "panic", p)
	}
}
