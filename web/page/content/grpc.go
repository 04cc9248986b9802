package content

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// grpc are a call's messages: each has a byte that says whether it is compressed, and its length (4, big-endian). Of their
// fields the numbers and wire types are known, and not the names.
func (m Marks) grpc(h Head, b []byte) (list []Message) {
	for i := 0; len(b) > 0 && i < maxMessages; i++ {
		if len(b) < 5 {
			return append(list, Message{Title: "what is cut off", Spans: dump(b)})
		}
		n := binary.BigEndian.Uint32(b[1:])
		body, title := b[5:], fmt.Sprintf("message %d, %d bytes", i+1, n)
		if uint64(n) > uint64(len(body)) {
			return append(list, Message{Title: title + ", of which the record has " + strconv.Itoa(len(body)), Spans: dump(body)})
		}
		packed := b[0]&1 != 0
		body, b = body[:n], body[n:]
		if packed {
			plain, err := inflate(h.GRPCEncoding, body)
			if err != nil {
				list = append(list, Message{Title: title + ", compressed (" + h.GRPCEncoding + ")", Spans: dump(body)})
				continue
			}
			title, body = title+" as "+h.GRPCEncoding, plain
		}
		list = append(list, m.grpcMessage(h, title, body))
	}
	return list
}

func (m Marks) grpcMessage(h Head, title string, body []byte) Message {
	if strings.HasSuffix(h.Type, "+json") {
		if s := m.JSON(body); s != nil {
			return Message{Title: title, Spans: s}
		}
	}
	var s spans
	if !m.fields(&s, body, 0) {
		return Message{Title: title, Spans: dump(body)}
	}
	return Message{Title: title, Spans: s.end()}
}

// maxNested bounds how deep messages are looked into.
const maxNested = 16

// fields writes a protobuf message as `protoc --decode_raw` does; false when it is none.
func (m Marks) fields(to *spans, b []byte, depth int) bool {
	indent := strings.Repeat("  ", depth)
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		to.add(fmt.Sprintf("%s%d: ", indent, num), false)
		if n = m.field(to, num, typ, b, depth); n < 0 {
			return false
		}
		to.add("\n", false)
		b = b[n:]
	}
	return true
}

func (m Marks) field(to *spans, num protowire.Number, typ protowire.Type, b []byte, depth int) int {
	switch typ {
	case protowire.VarintType:
		v, n := protowire.ConsumeVarint(b)
		to.add(strconv.FormatUint(v, 10), false)
		return n
	case protowire.Fixed32Type:
		v, n := protowire.ConsumeFixed32(b)
		to.add(fmt.Sprintf("0x%08x (%g)", v, math.Float32frombits(v)), false)
		return n
	case protowire.Fixed64Type:
		v, n := protowire.ConsumeFixed64(b)
		to.add(fmt.Sprintf("0x%016x (%g)", v, math.Float64frombits(v)), false)
		return n
	case protowire.BytesType:
		v, n := protowire.ConsumeBytes(b)
		if n >= 0 {
			m.bytesField(to, v, depth)
		}
		return n
	case protowire.StartGroupType:
		v, n := protowire.ConsumeGroup(num, b)
		if n < 0 || depth >= maxNested {
			return -1
		}
		to.add("{\n", false)
		if !m.fields(to, v, depth+1) {
			return -1
		}
		to.add(strings.Repeat("  ", depth)+"}", false)
		return n
	}
	return -1
}

// bytesField is a text, a message, or bytes: which of them, only the form tells.
func (m Marks) bytesField(to *spans, v []byte, depth int) {
	if utf8.Valid(v) && strings.IndexFunc(string(v), func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) < 0 {
		m.text(to, strconv.Quote(string(v)))
		return
	}
	var inner spans
	if depth < maxNested && m.fields(&inner, v, depth+1) {
		to.add("{\n", false)
		for _, s := range inner.end() {
			to.add(s.Text, s.Masked)
		}
		to.add(strings.Repeat("  ", depth)+"}", false)
		return
	}
	to.add(`\x`+hex.EncodeToString(v[:min(len(v), maxDump)]), false)
}
