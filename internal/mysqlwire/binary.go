package mysqlwire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// BinaryValue takes the value of a type off the front of b, in the binary format. raw are its bytes with what says
// its length, value is without.
func BinaryValue(typ byte, b []byte) (raw, value, rest []byte, err error) {
	n := 0
	switch typ {
	case TypeTiny:
		n = 1
	case TypeShort, TypeYear:
		n = 2
	case TypeLong, TypeInt24, TypeFloat:
		n = 4
	case TypeLonglong, TypeDouble:
		n = 8
	case TypeNull:
		return b[:0], nil, b, nil
	case TypeDate, TypeDatetime, TypeTimestamp, TypeTime, TypeNewDate, TypeTimestamp2, TypeDatetime2, TypeTime2:
		if len(b) < 1 || b[0] > 12 || len(b) < 1+int(b[0]) {
			return nil, nil, nil, ErrShort
		}
		n = int(b[0])
		return b[: 1+n : 1+n], b[1 : 1+n : 1+n], b[1+n:], nil
	default:
		if IsString(typ) {
			value, rest, err = LenencString(b)
			if err != nil {
				return nil, nil, nil, err
			}
			return b[:len(b)-len(rest)], value, rest, nil
		}
		return nil, nil, nil, fmt.Errorf("%w: type %#x is not known", ErrShort, typ)
	}
	if len(b) < n {
		return nil, nil, nil, ErrShort
	}
	return b[:n:n], b[:n:n], b[n:], nil
}

// IsString reports whether a value of a type is a string in the binary format, with its length before it.
func IsString(typ byte) bool {
	switch typ {
	case TypeDecimal, TypeVarchar, TypeBit, TypeJSON, TypeNewDecimal, TypeEnum, TypeSet, TypeTinyBlob, TypeMediumBlob,
		TypeLongBlob, TypeBlob, TypeVarString, TypeString, TypeGeometry:
		return true
	}
	return false
}

// BinaryText gives a value of the binary format as the text format has it.
func BinaryText(typ byte, unsigned bool, v []byte) string {
	integer := func(bits int) string {
		var u uint64
		for i := range v {
			u |= uint64(v[i]) << (8 * i)
		}
		if unsigned {
			return strconv.FormatUint(u, 10)
		}
		return strconv.FormatInt(int64(u<<(64-bits))>>(64-bits), 10)
	}
	switch typ {
	case TypeTiny:
		return integer(8)
	case TypeShort:
		return integer(16)
	case TypeYear:
		unsigned = true
		return integer(16)
	case TypeLong, TypeInt24:
		return integer(32)
	case TypeLonglong:
		return integer(64)
	case TypeFloat:
		return strconv.FormatFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(v))), 'g', -1, 32)
	case TypeDouble:
		return strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(v)), 'g', -1, 64)
	case TypeDate, TypeNewDate:
		return dateText(v, true)
	case TypeDatetime, TypeTimestamp, TypeDatetime2, TypeTimestamp2:
		return dateText(v, false)
	case TypeTime, TypeTime2:
		return timeText(v)
	}
	return string(v)
}

// dateText reads year (2), month, day, hour, minute, second (1 each), microseconds (4), as far as they are there.
func dateText(v []byte, dateOnly bool) string {
	var f [11]byte
	copy(f[:], v)
	s := fmt.Sprintf("%04d-%02d-%02d", binary.LittleEndian.Uint16(f[:]), f[2], f[3])
	if dateOnly {
		return s
	}
	s += fmt.Sprintf(" %02d:%02d:%02d", f[4], f[5], f[6])
	if us := binary.LittleEndian.Uint32(f[7:]); us != 0 {
		s += fmt.Sprintf(".%06d", us)
	}
	return s
}

// timeText reads negative (1), days (4), hours, minutes, seconds (1 each), microseconds (4), as far as they are there.
func timeText(v []byte) string {
	var f [12]byte
	copy(f[:], v)
	sign := ""
	if f[0] != 0 {
		sign = "-"
	}
	hours := uint64(binary.LittleEndian.Uint32(f[1:]))*24 + uint64(f[5])
	s := fmt.Sprintf("%s%02d:%02d:%02d", sign, hours, f[6], f[7])
	if us := binary.LittleEndian.Uint32(f[8:]); us != 0 {
		s += fmt.Sprintf(".%06d", us)
	}
	return s
}

// AppendBinary appends a text in the binary format of a type. A text that is not of the type gives the type's zero.
func AppendBinary(b []byte, typ byte, text []byte) []byte {
	s := string(text)
	switch typ {
	case TypeTiny:
		return append(b, byte(integerOf(s)&0x7f))
	case TypeShort, TypeYear:
		return binary.LittleEndian.AppendUint16(b, uint16(integerOf(s)&0x7fff))
	case TypeLong:
		return binary.LittleEndian.AppendUint32(b, uint32(integerOf(s)&math.MaxInt32))
	case TypeInt24:
		return binary.LittleEndian.AppendUint32(b, uint32(integerOf(s)&0x7fffff))
	case TypeLonglong:
		return binary.LittleEndian.AppendUint64(b, uint64(integerOf(s)))
	case TypeFloat:
		f, _ := strconv.ParseFloat(s, 32) // 0 when it is none
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(f)))
	case TypeDouble:
		f, _ := strconv.ParseFloat(s, 64)
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	case TypeDate, TypeNewDate, TypeDatetime, TypeTimestamp, TypeDatetime2, TypeTimestamp2:
		return appendDate(b, s)
	case TypeTime, TypeTime2:
		return append(b, 0) // masks have no other time than midnight
	}
	return AppendLenencString(b, text)
}

func integerOf(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64) // 0 when it is none
	return n
}

func appendDate(b []byte, s string) []byte {
	var year, month, day, hour, minute, second int
	n, _ := fmt.Sscanf(strings.ReplaceAll(s, "T", " "), "%d-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second)
	if n < 3 {
		return append(b, 0)
	}
	return append(b, 7, byte(year), byte(year>>8), byte(month), byte(day), byte(hour), byte(minute), byte(second))
}
