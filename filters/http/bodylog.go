package http

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"

	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/internal/exchange"
)

// bodyLog records a body: all of it up to a limit, and of a longer one the head and the SHA-256 of the whole.
type bodyLog struct {
	limit    int64
	bytes    int64
	recorded int64
	sum      hash.Hash // nil when the body cannot be longer than the limit
	through  masker    // what the record's copy goes through; nil: as it is
	cut      bool      // the record has not all of it
	closed   bool
}

// begin is told what the head says of the body's length.
func (l *bodyLog) begin(ended, may bool, length string) *bodyLog {
	n, err := strconv.ParseInt(length, 10, 64)
	if !ended && may && (err != nil || n > l.limit) {
		l.sum = sha256.New()
	}
	return l
}

// adder is a Batch's Request or Response.
type adder func(action uint64, p ...[]byte)

func (l *bodyLog) add(to adder, action uint64, p []byte) {
	if len(p) == 0 {
		return
	}
	l.bytes += int64(len(p))
	if l.sum != nil {
		l.sum.Write(p)
	}
	if l.through != nil && !l.cut {
		masked, err := l.through.Write(nil, p)
		if f, ok := l.through.(layer.Flusher); ok && err == nil && len(masked) == 0 {
			masked, err = f.Flush(nil) // what is whole of it goes on now
		}
		l.cut = err != nil // what cannot be masked is not kept
		p = masked
	}
	l.keep(to, action, p)
}

func (l *bodyLog) keep(to adder, action uint64, p []byte) {
	if l.cut {
		return
	}
	if room := l.limit - l.recorded; int64(len(p)) > room {
		p, l.cut = p[:max(room, 0)], true
	}
	if len(p) > 0 {
		l.recorded += int64(len(p))
		to(action, exchange.AppendBody(make([]byte, 0, len(p)+1), p))
	}
}

// end says what is missing, if anything is.
func (l *bodyLog) end(to adder, action uint64) {
	if l.closed {
		return
	}
	l.closed = true
	if l.through != nil && !l.cut {
		rest, err := l.through.Close(nil)
		l.keep(to, action, rest)
		l.cut = l.cut || err != nil
	}
	if !l.cut {
		return
	}
	c := exchange.Cut{Bytes: l.bytes, Recorded: l.recorded}
	if l.sum != nil {
		c.SHA256 = hex.EncodeToString(l.sum.Sum(nil))
	}
	to(action, exchange.AppendCut(nil, c))
}
