package wire

import (
	"encoding/binary"
	"strings"
)

// MaxStartup is the longest first packet (PostgreSQL's MAX_STARTUP_PACKET_LENGTH).
const MaxStartup = 10000

// Startup is a client's first packet: a startup message, or one of the requests
// that stand in its place. Params keep the order in which they came.
type Startup struct {
	Code   uint32 // protocol version, or one of the codes
	Params []Param
	PID    uint32 // of a cancel request
	Secret []byte // of a cancel request, owned
}

// Param is a startup parameter.
type Param struct{ Name, Value string }

// Get is a parameter's last value, "" when absent.
func (s *Startup) Get(name string) string {
	for i := len(s.Params) - 1; i >= 0; i-- {
		if s.Params[i].Name == name {
			return s.Params[i].Value
		}
	}
	return ""
}

// ProtocolOptions are the names of the _pq_ options.
func (s *Startup) ProtocolOptions() []string {
	var out []string
	for _, p := range s.Params {
		if strings.HasPrefix(p.Name, "_pq_.") {
			out = append(out, p.Name)
		}
	}
	return out
}

// DecodeStartup decodes the first packet at the beginning of b and tells its
// length; n is 0 when more bytes are needed.
func DecodeStartup(b []byte) (s Startup, n int, err error) {
	if len(b) < 4 {
		return s, 0, nil
	}
	length := binary.BigEndian.Uint32(b)
	if length < 8 || length > MaxStartup {
		return s, 0, ErrMalformed
	}
	if uint32(len(b)) < length {
		return s, 0, nil
	}
	s.Code = binary.BigEndian.Uint32(b[4:])
	body := b[8:length]
	switch {
	case s.Code == SSLCode || s.Code == GSSCode:
		if len(body) != 0 {
			return s, 0, ErrMalformed
		}
	case s.Code == CancelCode:
		// Protocol 3.2: a secret of up to 256 bytes.
		if len(body) < 8 || len(body) > 4+256 {
			return s, 0, ErrMalformed
		}
		s.PID = binary.BigEndian.Uint32(body)
		s.Secret = append([]byte(nil), body[4:]...)
	default:
		s.Params, err = startupParams(body)
	}
	return s, int(length), err
}

func startupParams(b []byte) ([]Param, error) {
	var out []Param
	for {
		name, rest, ok := cut(b)
		if !ok {
			return nil, ErrMalformed
		}
		if len(name) == 0 {
			if len(rest) != 0 {
				return nil, ErrMalformed
			}
			return out, nil
		}
		value, rest, ok := cut(rest)
		if !ok {
			return nil, ErrMalformed
		}
		out = append(out, Param{string(name), string(value)})
		b = rest
	}
}
