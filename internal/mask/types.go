package mask

// Kind is the sort of a type that is not built in, as the caller's catalog has
// it (pg_type.typtype). Built-in OIDs need none.
type Kind uint8

const (
	KindUnknown    Kind = iota // also base types of extensions
	KindText                   // text in both formats, such as citext
	KindEnum                   // typtype e
	KindComposite              // typtype c
	KindArray                  // typcategory A; Elem is the element's type
	KindRange                  // typtype r
	KindMultirange             // typtype m
)

// Type is a PostgreSQL type, as far as masking needs it. Domains are given as
// their base type (RowDescription does so already).
type Type struct {
	OID uint32
	// Name is used for types that are not built in: "citext" is text.
	Name string
	// Typmod is the type modifier of RowDescription; -1 or 0 is none.
	Typmod int32
	// Kind and Elem are for OIDs that are not built in.
	Kind Kind
	Elem *Type
}

// TextType is PostgreSQL's text, for values of protocols that have only text.
var TextType = Type{OID: 25}

// class is how a type is treated.
type class uint8

const (
	cUnknown class = iota // NULL
	cFixed                // a constant
	cText                 // text of any length, or of typmod
	cBpchar               // blank-padded to typmod
	cInt2                 // the ways of numbers follow
	cInt4
	cInt8
	cOID
	cFloat4
	cFloat8
	cNumeric
	cBytea
	cUUID
	cJSON
	cJSONB
	cXML
	cBit    // zero bits, as many as typmod says
	cOpaque // text inside a structure of its own (tsvector …): constant, also for one match
	cArray
	cRecord
	cEnum
)

// typeInfo holds a type's redact constants in both formats.
type typeInfo struct {
	class class
	text  string
	bin   string
}

const redacted = "[redacted]"

const (
	zero2  = "\x00\x00"
	zero4  = zero2 + zero2
	zero8  = zero4 + zero4
	zero16 = zero8 + zero8
	one8   = "\x3f\xf0\x00\x00\x00\x00\x00\x00" // 1.0
)

// builtin has the types of pg_type.dat by OID. What is not here is treated as unknown.
var builtin = map[uint32]typeInfo{
	16:   {cFixed, "f", "\x00"}, // bool
	17:   {cBytea, `\x`, ""},
	18:   {cFixed, "*", "*"}, // "char"
	19:   {cText, redacted, redacted},
	20:   {cInt8, "0", zero8},
	21:   {cInt2, "0", zero2},
	23:   {cInt4, "0", zero4},
	24:   {cFixed, "-", zero4}, // regproc
	25:   {cText, redacted, redacted},
	26:   {cOID, "0", zero4},
	27:   {cFixed, "(0,0)", zero4 + zero2}, // tid
	28:   {cFixed, "0", zero4},             // xid
	29:   {cFixed, "0", zero4},             // cid
	114:  {cJSON, `"[redacted]"`, `"[redacted]"`},
	142:  {cXML, "<redacted/>", "<redacted/>"},
	600:  {cFixed, "(0,0)", zero16},                            // point
	601:  {cFixed, "[(0,0),(0,0)]", zero16 + zero16},           // lseg
	602:  {cFixed, "((0,0))", "\x01\x00\x00\x00\x01" + zero16}, // path
	603:  {cFixed, "(0,0),(0,0)", zero16 + zero16},             // box
	604:  {cFixed, "((0,0))", "\x00\x00\x00\x01" + zero16},     // polygon
	628:  {cFixed, "{1,0,0}", one8 + zero16},                   // line: A and B are not both 0
	650:  {cFixed, "0.0.0.0/32", "\x02\x20\x01\x04" + zero4},   // cidr
	700:  {cFloat4, "0", zero4},
	701:  {cFloat8, "0", zero8},
	705:  {cText, redacted, redacted},                     // unknown
	718:  {cFixed, "<(0,0),0>", zero16 + zero8},           // circle
	774:  {cFixed, "00:00:00:00:00:00:00:00", zero8},      // macaddr8
	790:  {cFixed, "$0.00", zero8},                        // money
	829:  {cFixed, "00:00:00:00:00:00", zero4 + zero2},    // macaddr
	869:  {cFixed, "0.0.0.0", "\x02\x20\x00\x04" + zero4}, // inet
	1042: {cBpchar, redacted, redacted},
	1043: {cText, redacted, redacted},
	1082: {cFixed, "2000-01-01", zero4},
	1083: {cFixed, "00:00:00", zero8},
	1114: {cFixed, "2000-01-01 00:00:00", zero8},
	1184: {cFixed, "2000-01-01 00:00:00+00", zero8},
	1186: {cFixed, "00:00:00", zero16},
	1266: {cFixed, "00:00:00+00", zero8 + zero4},
	1560: {cBit, "", zero4},
	1562: {cFixed, "", zero4}, // varbit
	1700: {cNumeric, "0", zero8},
	1790: {cText, redacted, redacted}, // refcursor
	2202: {cFixed, "0", zero4},        // regprocedure
	2203: {cFixed, "0", zero4},        // regoper
	2204: {cFixed, "0", zero4},        // regoperator
	2205: {cFixed, "-", zero4},        // regclass
	2206: {cFixed, "-", zero4},        // regtype
	2249: {cRecord, "", ""},
	2275: {cText, redacted, redacted}, // cstring
	2278: {cFixed, "", ""},            // void
	2950: {cUUID, "00000000-0000-0000-0000-000000000000", zero16},
	3220: {cFixed, "0/0", zero8},                                              // pg_lsn
	3614: {cOpaque, "", zero4},                                                // tsvector
	3615: {cOpaque, "'redacted'", "\x00\x00\x00\x01\x01\x00\x00redacted\x00"}, // tsquery: one operand, as an empty one is not read
	3734: {cFixed, "-", zero4},                                                // regconfig
	3769: {cFixed, "-", zero4},                                                // regdictionary
	3802: {cJSONB, `"[redacted]"`, "\x01" + `"[redacted]"`},
	4072: {cOpaque, "$", "\x01$"}, // jsonpath
	4089: {cFixed, "-", zero4},    // regnamespace
	4096: {cFixed, "-", zero4},    // regrole
	4191: {cFixed, "-", zero4},    // regcollation
	5069: {cFixed, "0", zero8},    // xid8
	// Ranges and multiranges: int4, num, ts, tstz, date, int8.
	3904: emptyRange, 3906: emptyRange, 3908: emptyRange, 3910: emptyRange, 3912: emptyRange, 3926: emptyRange,
	4451: emptyMultirange, 4532: emptyMultirange, 4533: emptyMultirange, 4534: emptyMultirange, 4535: emptyMultirange, 4536: emptyMultirange,
}

var (
	emptyRange      = typeInfo{cFixed, "empty", "\x01"}
	emptyMultirange = typeInfo{cFixed, "{}", zero4}
)

// arrayElem gives the element type of the built-in array types.
var arrayElem = map[uint32]uint32{
	143: 142, 199: 114, 271: 5069, 629: 628, 651: 650, 719: 718, 775: 774, 791: 790,
	1000: 16, 1001: 17, 1002: 18, 1003: 19, 1005: 21, 1007: 23, 1008: 24, 1009: 25, 1010: 27, 1011: 28, 1012: 29,
	1014: 1042, 1015: 1043, 1016: 20, 1017: 600, 1018: 601, 1019: 602, 1020: 603, 1021: 700, 1022: 701,
	1027: 604, 1028: 26, 1040: 829, 1041: 869, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184, 1187: 1186,
	1231: 1700, 1263: 2275, 1270: 1266, 1561: 1560, 1563: 1562, 2201: 1790, 2207: 2202, 2208: 2203, 2209: 2204,
	2210: 2205, 2211: 2206, 2287: 2249, 2951: 2950, 3221: 3220, 3643: 3614, 3645: 3615, 3735: 3734, 3770: 3769,
	3807: 3802, 3905: 3904, 3907: 3906, 3909: 3908, 3911: 3910, 3913: 3912, 3927: 3926, 4073: 4072, 4090: 4089,
	4097: 4096, 4192: 4191, 6150: 4451, 6151: 4532, 6152: 4533, 6153: 4534, 6155: 4535, 6157: 4536,
}

// info classifies a type and gives its constants; elem is an array's element type.
func (t *Type) info() (i typeInfo, elem *Type) {
	if i, ok := builtin[t.OID]; ok {
		return i, nil
	}
	if e, ok := arrayElem[t.OID]; ok {
		return arrayInfo(e), &Type{OID: e, Typmod: t.Typmod}
	}
	switch t.Kind {
	case KindText:
		return typeInfo{cText, redacted, redacted}, nil
	case KindEnum:
		return typeInfo{class: cEnum}, nil
	case KindComposite:
		return typeInfo{class: cRecord}, nil
	case KindRange:
		return emptyRange, nil
	case KindMultirange:
		return emptyMultirange, nil
	case KindArray:
		if t.Elem != nil && t.Elem.OID != 0 {
			return arrayInfo(t.Elem.OID), t.Elem
		}
	}
	if t.Name == "citext" {
		return typeInfo{cText, redacted, redacted}, nil
	}
	return typeInfo{}, nil
}

// arrayInfo is an empty array: no dimensions, no NULLs, the element's OID.
func arrayInfo(elem uint32) typeInfo {
	oid := string([]byte{byte(elem >> 24), byte(elem >> 16), byte(elem >> 8), byte(elem)})
	return typeInfo{cArray, "{}", zero8 + oid}
}

// hasConstant reports whether the class has a redact constant; the others become NULL.
func (c class) hasConstant() bool { return c != cUnknown && c != cRecord && c != cEnum }
