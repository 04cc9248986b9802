package rdpwire

import "encoding/binary"

// CapSet is a capability set (MS-RDPBCGR 2.2.1.13.1.1.1) without its header.
type CapSet struct {
	Kind uint16
	Body []byte
}

// Kinds of capability sets.
const (
	capGeneral       = 1
	capBitmap        = 2
	capOrder         = 3
	capBitmapCache   = 4
	capControl       = 5
	capActivation    = 7
	capPointer       = 8
	capShare         = 9
	capColorCache    = 10
	capSound         = 12
	capInput         = 13
	capFont          = 14
	capBrush         = 15
	capGlyphCache    = 16
	capOffscreen     = 17
	capCacheHost     = 18
	capBitmapCache2  = 19
	capVirtual       = 20
	capMultifragment = 26
)

// trimmed is what becomes of a set: no more than size bytes are passed on, all that it has (2.2.7), and cut rewrites them.
type trimmed struct {
	size int
	cut  func([]byte)
}

// trim has what is passed on. Those without an entry are not: newer drawing orders, desktop composition, remote programs, surface
// commands, codecs, large pointers and frame acknowledgement.
var trim = map[uint16]trimmed{
	capGeneral:       {20, trimGeneral},
	capBitmap:        {24, trimBitmap},
	capOrder:         {84, trimOrder},
	capBitmapCache:   {36, nil},
	capControl:       {8, nil},
	capActivation:    {8, nil},
	capPointer:       {6, nil},
	capShare:         {4, nil},
	capColorCache:    {4, nil},
	capSound:         {4, nil},
	capInput:         {84, func(b []byte) { and16(b, 0, 0x017d) }}, // all but QoE timestamps and relative mouse
	capFont:          {4, nil},
	capBrush:         {4, nil},
	capGlyphCache:    {48, nil},
	capOffscreen:     {8, func(b []byte) { clear(b) }},
	capCacheHost:     {4, nil},
	capBitmapCache2:  {36, func(b []byte) { and16(b, 0, 0) }}, // no persistent keys
	capVirtual:       {8, func(b []byte) { and16(b, 0, 0) }},  // no compression
	capMultifragment: {4, trimFragments},
}

// Trim gives the sets, of either side, that the other one is told: what the bridge can decode, each once.
func Trim(sets []CapSet) []CapSet {
	out := make([]CapSet, 0, len(sets))
	for _, s := range sets {
		t, ok := trim[s.Kind]
		if !ok || find(out, s.Kind) != nil {
			continue
		}
		s.Body = append([]byte{}, s.Body[:min(len(s.Body), t.size)]...)
		if t.cut != nil {
			t.cut(s.Body)
		}
		out = append(out, s)
	}
	return out
}

func and16(b []byte, at int, mask uint16) {
	if at+2 <= len(b) {
		binary.LittleEndian.PutUint16(b[at:], binary.LittleEndian.Uint16(b[at:])&mask)
	}
}

// trimGeneral (2.2.7.1.1): no bulk compression; of the flags fast-path output, bitmaps without their old header and long
// credentials; not automatic reconnection.
func trimGeneral(b []byte) {
	and16(b, 8, 0)
	and16(b, 10, 0x0405)
	and16(b, 12, 0)
	and16(b, 14, 0)
	and16(b, 16, 0)
}

// trimBitmap (2.2.7.1.2): of the ways to draw 32 bits only leaving out alpha, which is lossless.
func trimBitmap(b []byte) {
	if len(b) > 19 {
		b[19] &= 0x08
	}
}

// trimOrder (2.2.7.1.3): no drawing orders. Of the flags those that must be set stay.
func trimOrder(b []byte) {
	const flags, support, text, extra, saveSize = 30, 32, 64, 66, 72
	and16(b, flags, 0x000a)
	clear(b[min(support, len(b)):min(text, len(b))])
	and16(b, text, 0)
	and16(b, extra, 0)
	and16(b, saveSize, 0)
	and16(b, saveSize+2, 0)
}

// MaxUpdate bounds one update that comes in fragments.
const MaxUpdate = 8 << 20

func trimFragments(b []byte) {
	if len(b) >= 4 && binary.LittleEndian.Uint32(b) > MaxUpdate {
		binary.LittleEndian.PutUint32(b, MaxUpdate)
	}
}

// find gives the body of the first set of a kind.
func find(sets []CapSet, kind uint16) []byte {
	for _, s := range sets {
		if s.Kind == kind {
			return s.Body
		}
	}
	return nil
}

// Desktop is the size and depth that a Demand Active PDU announces; ok is false without a bitmap set.
func Desktop(sets []CapSet) (width, height, depth int, ok bool) {
	b := find(sets, capBitmap)
	if len(b) < 12 {
		return 0, 0, 0, false
	}
	at := func(n int) int { return int(binary.LittleEndian.Uint16(b[n:])) }
	return at(8), at(10), at(0), true
}

// ServerSets are those of a server that only draws bitmaps: what a client is told before there is a target.
func ServerSets(width, height, depth uint16) []CapSet {
	general := make([]byte, 20)
	put := binary.LittleEndian.PutUint16
	put(general[0:], 1) // Windows
	put(general[2:], 3) // NT
	put(general[4:], 0x0200)
	put(general[10:], 0x0405)
	bitmap := make([]byte, 24)
	for at, v := range map[int]uint16{0: depth, 2: 1, 4: 1, 6: 1, 8: width, 10: height, 14: 1, 16: 1, 20: 1} {
		put(bitmap[at:], v)
	}
	order := make([]byte, 84)
	for at, v := range map[int]uint16{20: 1, 22: 20, 26: 1, 30: 0x000a} {
		put(order[at:], v)
	}
	input := make([]byte, 84)
	put(input, 0x0035) // scan codes, extended mouse, fast path, Unicode, fast path 2: see 2.2.7.1.6
	pointer := put16(put16(put16(nil, 1), 25), 25)
	return []CapSet{
		{capShare, put16(put16(nil, 0), 0)}, {capGeneral, general}, {capBitmap, bitmap}, {capOrder, order}, {capFont, put16(put16(nil, 1), 0)},
		{capInput, input}, {capPointer, pointer}, {capVirtual, put32(put32(nil, 0), 1600)},
	}
}

// FastOutput reports whether a client's sets say that it takes updates by the fast path.
func FastOutput(sets []CapSet) bool {
	b := find(sets, capGeneral)
	return len(b) > 11 && b[10]&1 != 0
}

// FastInput reports whether a server's sets say that it takes input by the fast path (2.2.7.1.6).
func FastInput(sets []CapSet) bool {
	const fast, fast2 = 0x0008, 0x0020
	b := find(sets, capInput)
	return len(b) > 1 && b[0]&(fast|fast2) != 0
}
