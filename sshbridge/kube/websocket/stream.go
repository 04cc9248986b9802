package websocket

// Stream is the bytes of a connection's binary messages, without their borders: how Kubernetes carries SPDY
// within WebSocket.
type Stream struct {
	*Conn
	rest []byte
}

// Read implements io.Reader.
func (s *Stream) Read(b []byte) (int, error) {
	for len(s.rest) == 0 {
		m, err := s.Conn.Read()
		if err != nil {
			return 0, err
		}
		if m.Op != Binary {
			return 0, s.fail("text within a stream")
		}
		s.rest = m.Data
	}
	n := copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Write implements io.Writer.
func (s *Stream) Write(b []byte) (int, error) {
	for from := 0; from < len(b); from += Piece {
		if err := s.Conn.Write(Binary, b[from:min(from+Piece, len(b))]); err != nil {
			return from, err
		}
	}
	return len(b), nil
}

// Close implements io.Closer.
func (s *Stream) Close() error {
	s.Conn.Close(Normal, "")
	return nil
}
