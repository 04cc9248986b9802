package rdpwire

import (
	"errors"
	"fmt"
)

// Flags of a static channel's PDUs (MS-RDPBCGR 2.2.6.1.1).
const (
	channelFirst        = 0x00000001
	channelLast         = 0x00000002
	channelShowProtocol = 0x00000010
	channelCompressed   = 0x00200000
)

// channelChunk is how much one PDU carries; both sides may always send that (2.2.7.1.10).
const channelChunk = 1600

// Joiner puts the messages of a static channel together.
type Joiner struct {
	// Max bounds a message.
	Max  int
	buf  []byte
	want int
}

// Add takes the data of a channel PDU and gives a message when it is complete, nil before. The message is valid until
// the next call.
func (j *Joiner) Add(b []byte) ([]byte, error) {
	c := cursor{b: b}
	total, flags := int(c.u32()), c.u32()
	switch {
	case c.bad:
		return nil, c.err("rdp: channel")
	case flags&channelCompressed != 0:
		return nil, errors.New("rdp: compressed channel data, which was not negotiated")
	case total > j.Max:
		return nil, fmt.Errorf("rdp: a channel message of %d bytes", total)
	}
	if flags&channelFirst != 0 {
		j.buf, j.want = j.buf[:0], total
	}
	if total != j.want || len(j.buf)+len(c.b) > j.want {
		return nil, errors.New("rdp: channel chunks that do not fit together")
	}
	j.buf = append(j.buf, c.b...)
	if flags&channelLast == 0 {
		return nil, nil
	}
	if len(j.buf) != j.want {
		return nil, errors.New("rdp: a channel message that is cut off")
	}
	return j.buf, nil
}

// Chunks calls f with the data of each channel PDU that carries message.
func Chunks(message []byte, f func([]byte) error) error {
	total := uint32(len(message))
	for first := true; first || len(message) > 0; first = false {
		n := min(len(message), channelChunk)
		flags := uint32(channelShowProtocol)
		if first {
			flags |= channelFirst
		}
		if n == len(message) {
			flags |= channelLast
		}
		if err := f(append(put32(put32(nil, total), flags), message[:n]...)); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}
