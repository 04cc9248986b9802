package record

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"dragoman.dev/dragoman/internal/action"
)

// The frames of which a statement has one each, actions and results, are written and
// read without reflection as long as they are plain: known keys in their order, strings of
// printable ASCII without escapes. Anything else goes through encoding/json; the
// bytes are the same.

// AppendResult adds a KindResult frame.
func (w *Writer) AppendResult(ordinal uint64, r *Result) error {
	var stack [320]byte
	b, plain := r.appendPlain(stack[:0])
	if !plain {
		return w.AppendJSON(KindResult, ordinal, r)
	}
	part := [1][]byte{b}
	return w.Append(KindResult, ordinal, part[:]...)
}

// appendPlain appends the JSON of a result, unless one of its strings is not plain.
func (r *Result) appendPlain(b []byte) ([]byte, bool) {
	for _, s := range [...]string{r.Status, r.Code, r.Message, r.Tag, r.MaskedColumns} {
		if !plainText(s) {
			return nil, false
		}
	}
	b = append(append(append(b, `{"status":"`...), r.Status...), '"')
	for _, f := range [...]struct{ key, value string }{{`,"code":"`, r.Code}, {`,"message":"`, r.Message}, {`,"tag":"`, r.Tag}} {
		if f.value != "" {
			b = append(append(append(b, f.key...), f.value...), '"')
		}
	}
	b = strconv.AppendInt(append(b, `,"rows":`...), r.Rows, 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), r.Bytes, 10)
	b = strconv.AppendInt(append(b, `,"masked":`...), r.Masked, 10)
	b = strconv.AppendInt(append(b, `,"duration":`...), int64(r.Duration), 10)
	if r.MaskedColumns != "" {
		b = append(append(append(b, `,"masked_columns":"`...), r.MaskedColumns...), '"')
	}
	return append(b, '}'), true
}

// plainText reports whether a JSON string holds s as it is.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// DecodeResult reads a KindResult frame's payload.
func DecodeResult(payload []byte, r *Result) error {
	*r = Result{}
	if r.decodePlain(plain(payload)) {
		return nil
	}
	*r = Result{}
	return json.Unmarshal(payload, r)
}

func (r *Result) decodePlain(p plain) bool {
	ok := p.key(`{"status":"`) && p.text(&r.Status)
	for _, f := range [...]struct {
		key   string
		value *string
	}{{`,"code":"`, &r.Code}, {`,"message":"`, &r.Message}, {`,"tag":"`, &r.Tag}} {
		if ok && p.key(f.key) {
			ok = p.text(f.value)
		}
	}
	var duration int64
	ok = ok && p.key(`,"rows":`) && p.number(&r.Rows) && p.key(`,"bytes":`) && p.number(&r.Bytes) &&
		p.key(`,"masked":`) && p.number(&r.Masked) && p.key(`,"duration":`) && p.number(&duration)
	r.Duration = time.Duration(duration)
	if ok && p.key(`,"masked_columns":"`) {
		ok = p.text(&r.MaskedColumns)
	}
	return ok && string(p) == "}"
}

// plain is plain JSON that is not read yet.
type plain []byte

func (p *plain) key(k string) bool {
	if len(*p) < len(k) || string((*p)[:len(k)]) != k {
		return false
	}
	*p = (*p)[len(k):]
	return true
}

// text reads the rest of a string, with the quote behind it.
func (p *plain) text(to *string) bool {
	end := bytes.IndexByte(*p, '"')
	if end < 0 {
		return false
	}
	s := string((*p)[:end])
	if !plainText(s) {
		return false
	}
	*to, *p = s, (*p)[end+1:]
	return true
}

// string reads any string.
func (p *plain) string(to *string) bool {
	b := []byte(*p)
	if len(b) == 0 || b[0] != '"' {
		return false
	}
	end := 1
	for ; end < len(b) && b[end] != '"'; end++ {
		if b[end] == '\\' {
			end++
		}
	}
	if end >= len(b) {
		return false
	}
	*p = b[end+1:]
	if s := string(b[1:end]); plainText(s) {
		*to = s
		return true
	}
	return json.Unmarshal(b[:end+1], to) == nil
}

// number reads an integer of at most 18 digits.
func (p *plain) number(to *int64) bool {
	n, i := int64(0), 0
	for ; i < len(*p) && (*p)[i] >= '0' && (*p)[i] <= '9'; i++ {
		n = n*10 + int64((*p)[i]-'0')
	}
	if i == 0 || i > 18 || i > 1 && (*p)[0] == '0' {
		return false
	}
	*to, *p = n, (*p)[i:]
	return true
}

// ActionDecoder reads KindAction frames. A statement that runs again has the same payload
// but for its text and parameters, so the decoder keeps what it has read of
// the last few. The zero value is ready; it belongs to one goroutine.
type ActionDecoder struct {
	known  []knownAction // the one that fitted last is first
	misses int           // since one fitted
}

// knownAction is a payload around its text and parameters.
type knownAction struct {
	head, tail []byte
	payload    ActionPayload
}

const (
	maxKnownActions = 8
	// With so many misses in a row nothing more is learned.
	maxMisses = 32
)

const (
	textKey        = `,"text":`
	paramsKey      = `,"params":`
	fingerprintKey = `,"fingerprint":"`
)

// Decode reads a payload. What p points to is shared with other results, and must not be changed.
func (d *ActionDecoder) Decode(payload []byte, p *ActionPayload) error {
	for i := range d.known {
		if d.known[i].decode(payload, p) {
			if i > 0 {
				d.known[0], d.known[i] = d.known[i], d.known[0]
			}
			d.misses = 0
			return nil
		}
	}
	*p = ActionPayload{}
	if err := json.Unmarshal(payload, p); err != nil {
		return err
	}
	if d.misses++; d.misses <= maxMisses {
		d.learn(payload, *p)
	}
	return nil
}

func (k *knownAction) decode(payload []byte, p *ActionPayload) bool {
	if len(payload) < len(k.head)+len(k.tail) || !bytes.HasPrefix(payload, k.head) || !bytes.HasSuffix(payload, k.tail) {
		return false
	}
	rest := plain(payload[len(k.head) : len(payload)-len(k.tail)])
	var text string
	var params []action.Param
	if !rest.string(&text) || !rest.key(paramsKey) {
		return false
	}
	if all := rest; !rest.params(&params) || len(rest) != 0 {
		if params = nil; json.Unmarshal(all, &params) != nil {
			return false
		}
	}
	*p = k.payload
	p.Action.Text, p.Action.Params = text, params
	return true
}

// params reads an array of parameters that have a value only.
func (p *plain) params(to *[]action.Param) bool {
	list := []action.Param{}
	if !p.key("[") {
		return false
	}
	for !p.key("]") {
		var one action.Param
		if len(list) > 0 && !p.key(",") || !p.key(`{"value":"`) || !p.text(&one.Value) || !p.key("}") {
			return false
		}
		list = append(list, one)
	}
	*to = list
	return true
}

// learn keeps a payload that was read, if it is laid out as expected: with another text between
// its head and its tail, that text alone must change.
func (d *ActionDecoder) learn(payload []byte, p ActionPayload) {
	// Within a string the quotes would be escaped.
	i, j := bytes.LastIndex(payload, []byte(textKey+`"`)), bytes.LastIndex(payload, []byte(fingerprintKey))
	if i < 0 || j < i {
		return
	}
	if slices.ContainsFunc(d.known, func(k knownAction) bool {
		return bytes.Equal(k.head, payload[:i+len(textKey)]) && bytes.Equal(k.tail, payload[j:])
	}) {
		return
	}
	const probe = "probe"
	p.Action.Text, p.Action.Params = probe, []action.Param{}
	k := knownAction{head: slices.Clone(payload[:i+len(textKey)]), tail: slices.Clone(payload[j:]), payload: p}
	var got ActionPayload
	if json.Unmarshal(slices.Concat(k.head, []byte(`"`+probe+`"`+paramsKey+"[]"), k.tail), &got) != nil {
		return
	}
	want, err1 := json.Marshal(p)
	have, err2 := json.Marshal(got)
	if err1 != nil || err2 != nil || !bytes.Equal(want, have) {
		return
	}
	if len(d.known) < maxKnownActions {
		d.known = append(d.known, k)
		return
	}
	d.known[maxKnownActions-1] = k
}
