package mask

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// Binary numeric (numeric_send): int16 ndigits, int16 weight, uint16 sign,
// int16 dscale, then ndigits digits of base 10000.
const (
	numericHeader = 8
	numericNeg    = 0x4000
	maxNumeric    = 4096 // digits that are hashed; PostgreSQL's own limit is about 37,000
)

// hashNumeric gives a whole number that fits the precision.
func (m *Masker) hashNumeric(dst, val []byte, bin bool) ([]byte, bool) {
	limit := uint64(1) << 63
	if t := m.typ.Typmod; t > 4 {
		precision, scale := int(t-4)>>16, int(t-4)&0x7ff
		if scale >= 1024 {
			scale -= 2048
		}
		if scale < 0 { // the last places are always zero
			return dst, false
		}
		limit = 1
		for i := 0; i < min(precision-scale, 18); i++ {
			limit *= 10
		}
	}
	if limit == 1 {
		return dst, false
	}
	var stack [64]byte
	canon, ok := val, true
	if bin {
		canon, ok = numericText(stack[:0], val)
	}
	if !ok {
		return dst, false
	}
	sum := m.plan.hasher.of(hashNum, canonical(canon))
	v := binary.BigEndian.Uint64(sum[:8]) % limit
	if !bin {
		return strconv.AppendUint(dst, v, 10), true
	}
	return appendNumeric(dst, v), true
}

// canonical drops the zeros at the end of a fraction.
func canonical(v []byte) []byte {
	if bytes.IndexByte(v, '.') >= 0 {
		v = bytes.TrimRight(v, "0")
		v = bytes.TrimSuffix(v, []byte("."))
	}
	return v
}

// numericText appends the decimal text of a finite binary numeric.
func numericText(dst, val []byte) ([]byte, bool) {
	if len(val) < numericHeader {
		return dst, false
	}
	n := int(binary.BigEndian.Uint16(val))
	weight := int(int16(binary.BigEndian.Uint16(val[2:])))
	sign := binary.BigEndian.Uint16(val[4:])
	if len(val) != numericHeader+2*n || n > maxNumeric || weight > maxNumeric || weight < -maxNumeric || sign != 0 && sign != numericNeg {
		return dst, false
	}
	digit := func(i int) int {
		if i < 0 || i >= n {
			return 0
		}
		return int(binary.BigEndian.Uint16(val[numericHeader+2*i:]))
	}
	if sign == numericNeg {
		dst = append(dst, '-')
	}
	if weight < 0 {
		dst = append(dst, '0')
	} else {
		dst = strconv.AppendInt(dst, int64(digit(0)), 10)
	}
	for i := 1; i <= weight; i++ {
		dst = append4(dst, digit(i))
	}
	dst = append(dst, '.')
	for i := weight + 1; i < n; i++ {
		dst = append4(dst, digit(i))
	}
	return dst, true
}

func append4(dst []byte, d int) []byte {
	return append(dst, byte('0'+d/1000%10), byte('0'+d/100%10), byte('0'+d/10%10), byte('0'+d%10))
}

// appendNumeric appends a whole number as binary numeric.
func appendNumeric(dst []byte, v uint64) []byte {
	var d [5]uint16
	i := len(d)
	for ; v > 0; v /= 10000 {
		i--
		d[i] = uint16(v % 10000)
	}
	digits := d[i:]
	weight := uint16(max(len(digits)-1, 0))
	for len(digits) > 0 && digits[len(digits)-1] == 0 {
		digits = digits[:len(digits)-1]
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(digits)))
	dst = binary.BigEndian.AppendUint16(dst, weight)
	dst = append(dst, 0, 0, 0, 0)
	for _, x := range digits {
		dst = binary.BigEndian.AppendUint16(dst, x)
	}
	return dst
}
