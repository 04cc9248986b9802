package record

// AppendChained appends what of a frame is in the chain: its header and its payload, as the record has them. With
// Root and the frame before it, whoever has these bytes computes the frame's hash.
func (f *Frame) AppendChained(dst []byte) []byte {
	h := header{length: len(f.Payload), kind: f.Kind, seq: f.Seq, time: f.Time.UnixNano(), action: f.Action}
	if f.Recovered {
		h.flags = flagRecovered
	}
	var b [frameHeaderLen]byte
	h.put(b[:])
	return append(append(dst, b[:]...), f.Payload...)
}
