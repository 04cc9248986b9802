package wire

import (
	"encoding/binary"
	"errors"
	"testing"
)

// TestMoreParametersThanCount: a server prepares 65536 parameters, and the count in its description is then 0.
func TestMoreParametersThanCount(t *testing.T) {
	for n, want := range map[int]int{0: 0, 2: 2, 65535: 65535, 65536: 0, 65539: 0} {
		body := make([]byte, 2+4*n)
		binary.BigEndian.PutUint16(body, uint16(n))
		oids, err := DecodeParameterDescription(body)
		if err != nil || len(oids) != want {
			t.Errorf("%d parameters: %d types, %v", n, len(oids), err)
		}
	}
	if _, err := DecodeParameterDescription([]byte{0, 1}); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}
