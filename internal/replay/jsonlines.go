package replay

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"dragoman.dev/dragoman/internal/record"
)

// kindNames are the kinds' names in JSON lines.
var kindNames = map[record.Kind]string{record.KindOpen: "open", record.KindAction: "action", record.KindRequest: "request",
	record.KindResponse: "response", record.KindHold: "hold", record.KindResult: "result", record.KindNote: "note", record.KindClose: "close"}

func kindName(k record.Kind) string {
	if n, ok := kindNames[k]; ok {
		return n
	}
	return fmt.Sprintf("kind %d", k)
}

// jsonLines writes one object a frame. A frame's decoded messages are written one by one.
type jsonLines struct {
	w     *bufio.Writer
	proto Protocol
	buf   bytes.Buffer
}

func newJSON(w io.Writer) *jsonLines {
	return &jsonLines{w: bufio.NewWriterSize(w, 64<<10), proto: raw{}}
}

// head is what every line begins with.
type head struct {
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
	Kind      string    `json:"kind"`
	Action    uint64    `json:"action,omitempty"`
	Recovered bool      `json:"recovered,omitempty"`
	Bytes     int       `json:"bytes"` // of the payload
}

func (j *jsonLines) frame(f record.Frame) error {
	if f.Kind == record.KindOpen {
		var open record.Open
		if json.Unmarshal(f.Payload, &open) == nil {
			j.proto = newProtocol(open.Target.Protocol)
		}
	}
	b, err := json.Marshal(head{f.Seq, f.Time, kindName(f.Kind), f.Action, f.Recovered, len(f.Payload)})
	if err != nil {
		return err
	}
	j.w.Write(b[:len(b)-1]) // a bufio.Writer keeps its first error
	switch {
	case f.Kind == record.KindRequest:
		err = j.messages(f.Payload, j.proto.Request)
	case f.Kind == record.KindResponse:
		err = j.messages(f.Payload, j.proto.Response)
	case j.compact(f.Payload):
		j.w.WriteString(`,"payload":`)
		j.w.Write(j.buf.Bytes())
	default:
		fmt.Fprintf(j.w, `,"payload_base64":%q`, base64.StdEncoding.EncodeToString(f.Payload))
	}
	if err != nil {
		return err
	}
	j.w.WriteString("}\n")
	return j.w.Flush()
}

// compact puts a payload's JSON on one line.
func (j *jsonLines) compact(b []byte) bool {
	if j.buf.Cap() > maxMessage {
		j.buf = bytes.Buffer{}
	}
	j.buf.Reset()
	return json.Compact(&j.buf, b) == nil
}

func (j *jsonLines) messages(b []byte, decode func([]byte, func(Event) error) error) error {
	j.w.WriteString(`,"messages":[`)
	first := true
	err := decode(b, func(e Event) error {
		if !first {
			j.w.WriteByte(',')
		}
		first = false
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = j.w.Write(b)
		return err
	})
	j.w.WriteByte(']')
	return err
}

func (j *jsonLines) end() error { return j.w.Flush() }
