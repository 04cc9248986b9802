package postgres

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/action"
)

// OIDs of types whose binary values are shown as text (pg_type.dat).
const (
	oidBool        = 16
	oidBytea       = 17
	oidChar        = 18
	oidName        = 19
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidOID         = 26
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidUnknown     = 705
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidUUID        = 2950
	oidJSONB       = 3802
)

// params decodes a Bind's parameters for people and policy. pr may be nil.
func params(b *wire.BindBody, pr *prepared) []action.Param {
	out := make([]action.Param, 0, min(b.Count, 1024))
	values := b.Values
	for i := range b.Count {
		v, rest, null, ok := wire.NextValue(values)
		if !ok { // the values of a Bind in pieces are not looked at
			return append(out, action.Param{Value: strconv.Itoa(b.Count-i) + " parameters", Encoding: "omitted"})
		}
		values = rest
		var oid uint32
		if pr != nil && i < len(pr.oids) {
			oid = pr.oids[i]
		}
		out = append(out, param(v, null, wire.Format(b.Formats, i), oid))
	}
	return out
}

func param(v []byte, null bool, format int16, oid uint32) action.Param {
	if null {
		return action.Param{Null: true}
	}
	if format == 1 {
		if s, ok := binaryText(v, oid); ok {
			return action.Param{Value: s}
		}
	} else if utf8.Valid(v) {
		return action.Param{Value: string(v)}
	}
	return action.Param{Value: base64.StdEncoding.EncodeToString(v), Encoding: "base64"}
}

// pgEpoch is 2000-01-01, from which PostgreSQL counts.
var pgEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// binaryText shows a binary value as PostgreSQL's text would.
func binaryText(v []byte, oid uint32) (string, bool) {
	switch oid {
	case oidText, oidVarchar, oidBpchar, oidName, oidChar, oidJSON, oidUnknown:
		return string(v), utf8.Valid(v)
	case oidBytea:
		return `\x` + hex.EncodeToString(v), true
	case oidJSONB:
		return string(v[min(1, len(v)):]), len(v) > 0 && v[0] == 1 && utf8.Valid(v)
	case oidUUID:
		if len(v) == 16 {
			h := hex.EncodeToString(v)
			return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
		}
		return "", false
	}
	return binaryNumber(v, oid)
}

func binaryNumber(v []byte, oid uint32) (string, bool) {
	switch {
	case oid == oidBool && len(v) == 1:
		return map[bool]string{true: "t", false: "f"}[v[0] != 0], true
	case oid == oidInt2 && len(v) == 2:
		return strconv.Itoa(int(int16(binary.BigEndian.Uint16(v)))), true
	case oid == oidInt4 && len(v) == 4:
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(v)))), true
	case oid == oidOID && len(v) == 4:
		return strconv.FormatUint(uint64(binary.BigEndian.Uint32(v)), 10), true
	case oid == oidInt8 && len(v) == 8:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(v)), 10), true
	case oid == oidFloat4 && len(v) == 4:
		return strconv.FormatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(v))), 'g', -1, 32), true
	case oid == oidFloat8 && len(v) == 8:
		return strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(v)), 'g', -1, 64), true
	case oid == oidDate && len(v) == 4:
		return pgEpoch.AddDate(0, 0, int(int32(binary.BigEndian.Uint32(v)))).Format("2006-01-02"), true
	case (oid == oidTimestamp || oid == oidTimestamptz) && len(v) == 8:
		us := int64(binary.BigEndian.Uint64(v))
		t := pgEpoch.Add(time.Duration(us/1e6) * time.Second).Add(time.Duration(us%1e6) * time.Microsecond)
		layout := "2006-01-02 15:04:05.999999"
		if oid == oidTimestamptz {
			layout += "+00"
		}
		return t.Format(layout), us > -1<<53 && us < 1<<53
	}
	return "", false
}

// oidBytes are the parameter types as part of what an approval is bound to.
func oidBytes(pr *prepared) []byte {
	if pr == nil {
		return nil
	}
	var b []byte
	for _, o := range pr.oids {
		b = binary.BigEndian.AppendUint32(b, o)
	}
	return b
}
