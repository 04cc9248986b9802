package mask

import "bytes"

// decodeBytea appends the bytes of a bytea in text format, hex or escape.
func decodeBytea(dst, val []byte) ([]byte, bool) {
	if bytes.HasPrefix(val, []byte(`\x`)) {
		return decodeHex(dst, val[2:])
	}
	for i := 0; i < len(val); i++ {
		if val[i] != '\\' {
			dst = append(dst, val[i])
			continue
		}
		switch {
		case i+1 < len(val) && val[i+1] == '\\':
			dst = append(dst, '\\')
			i++
		case i+3 < len(val) && octal(val[i+1]) && octal(val[i+2]) && octal(val[i+3]):
			dst = append(dst, (val[i+1]-'0')<<6|(val[i+2]-'0')<<3|val[i+3]-'0')
			i += 3
		default:
			return dst, false
		}
	}
	return dst, true
}

func octal(b byte) bool { return b >= '0' && b <= '7' }

func decodeHex(dst, v []byte) ([]byte, bool) {
	if len(v)%2 != 0 {
		return dst, false
	}
	for i := 0; i < len(v); i += 2 {
		if !isHex(v[i]) || !isHex(v[i+1]) {
			return dst, false
		}
		dst = append(dst, unhex(v[i])<<4|unhex(v[i+1]))
	}
	return dst, true
}
