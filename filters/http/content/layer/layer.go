// Package layer says what the decoders below filters/http/content have in
// common, so that one can be put into another.
package layer

// Masker masks a body that comes in pieces. Belongs to one user at a time.
type Masker interface {
	// Write takes the next piece, which is not kept, and appends what can be
	// given out to dst. After an error the body must not go on.
	Write(dst, piece []byte) ([]byte, error)
	// Close ends the body and appends the rest to dst.
	Close(dst []byte) ([]byte, error)
	// Masked is how many values have been masked so far.
	Masked() int
}

// Flusher is a Masker that may hold bytes back although no value is open, to
// see more of a text at once. Flush appends what can be given out at once.
type Flusher interface {
	Flush(dst []byte) ([]byte, error)
}
