package mysqlwire

// Copy is a Reader of its own that goes on where this one is. ok is false within a message that comes in pieces, and when
// more than limit bytes were not taken yet.
func (r *Reader) Copy(limit int) (out Reader, ok bool) {
	if r.long || len(r.buf)+len(r.next) > limit {
		return out, false
	}
	out = Reader{Keep: r.Keep, Max: r.Max, seq: r.seq}
	if n := len(r.buf) + len(r.next); n > 0 {
		out.buf, out.owned = append(append(make([]byte, 0, n), r.buf...), r.next...), true
	}
	return out, true
}
