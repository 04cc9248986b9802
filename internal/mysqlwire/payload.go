package mysqlwire

// Payload tells the payload from the headers in the pieces of a long message, which split anywhere. The zero value is at the
// beginning of a packet.
type Payload struct {
	head [headerLen]byte
	have int // bytes of head
	left int // bytes of the packet's payload still to come
}

// Each calls f with what is payload in raw, in order.
func (p *Payload) Each(raw []byte, f func([]byte)) {
	for len(raw) > 0 {
		if p.left > 0 {
			n := min(p.left, len(raw))
			f(raw[:n])
			p.left -= n
			raw = raw[n:]
			continue
		}
		n := copy(p.head[p.have:], raw)
		p.have += n
		raw = raw[n:]
		if p.have == headerLen {
			p.have, p.left = 0, int(p.head[0])|int(p.head[1])<<8|int(p.head[2])<<16
		}
	}
}
