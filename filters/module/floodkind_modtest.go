//go:build modtest

package main

import (
	"bytes"

	"github.com/envoyproxy/envoy/contrib/golang/common/go/api"

	"dragoman.dev/dragoman/filters"
)

// flood sends floodSize bytes to a client that says anything, as fast as the
// watermarks let it.
type flood struct{}

const floodSize = 64 << 20

func (flood) NewConn(c filters.Conn) (api.DownstreamFilter, api.UpstreamFilter) {
	f := &flooder{testFilter: testFilter{conn: c}}
	f.onClient = func([]byte, bool) bool {
		f.left = floodSize
		f.OnLowWatermark()
		return true
	}
	return f, (*testUpstream)(&f.testFilter)
}

type flooder struct {
	testFilter
	left int
	high bool
	busy bool
}

func (f *flooder) OnHighWatermark() { f.high = true }

func (f *flooder) OnLowWatermark() {
	f.high = false
	if f.busy { // Envoy may call from within Write
		return
	}
	f.busy = true
	defer func() { f.busy = false }()
	chunk := make([]byte, 64<<10)
	for f.left > 0 && !f.high {
		f.left -= len(chunk)
		f.conn.Write(chunk, f.left == 0)
	}
}

// sslRequest answers Postgres' SSLRequest with 'S' and refuses what begins with X.
type sslRequest struct{}

func (*sslRequest) MaxPeek() int { return 8 }

func (*sslRequest) OnAccept(filters.Socket) filters.SocketStatus { return filters.SocketNeedMore }

func (*sslRequest) OnData(s filters.Socket, peeked []byte) filters.SocketStatus {
	request := []byte{0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f}
	switch {
	case len(peeked) > 0 && peeked[0] == 'X':
		return filters.SocketClose
	case len(peeked) > 0 && peeked[0] == 'P':
		panic("told to, in a listener filter")
	case len(peeked) < len(request) && bytes.HasPrefix(request, peeked):
		return filters.SocketNeedMore
	case bytes.Equal(peeked, request):
		if s.Drain(len(request)) != nil || s.Write([]byte("S")) != nil {
			return filters.SocketClose
		}
	}
	return filters.SocketDone
}
