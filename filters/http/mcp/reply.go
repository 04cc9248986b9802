package mcp

import (
	"bytes"
	"mime"

	"dragoman.dev/dragoman/filters/http/content"
	"dragoman.dev/dragoman/filters/http/content/coding"
	"dragoman.dev/dragoman/filters/http/content/refusal"
	"dragoman.dev/dragoman/filters/http/content/sse"
	"dragoman.dev/dragoman/internal/mask"
)

// Outcome is one message of the server, as it goes to the client.
type Outcome struct {
	Kind   Kind
	ID     ID
	Method string // what was asked, or what the server asks or tells
	Tool   string
	Failed bool   // a JSON-RPC error, or a result with isError
	Masked int    // values masked
	Hidden int    // tools left out of a list
	Raw    []byte // as it goes out; borrowed until the call returns
}

// Reply filters and masks the body of one response of an MCP server: to a POST,
// or of a stream that a GET opened. It belongs to one user at a time, and must be closed or aborted.
type Reply struct {
	conv    *Conversation
	plan    *mask.Plan
	observe func(Outcome)
	bind    func(id []byte) []byte
	other   *content.Stream // what is neither JSON nor events, and in a coding that is not known
	loose   *content.Stream // what masks a body that may be JSON-RPC, when it is none
	spilled bool            // it is none
	failed  bool            // the status says that nothing was done
	events  *sse.Decoder    // of an event stream
	dec     *coding.Decoder
	enc     *coding.Encoder
	buf     []byte // of a JSON body
	dst     []byte
	plain   []byte
	masked  int
	some    bool
	err     error
}

// Reply begins a response. plan masks what answers no request: notifications and
// requests of the server, errors without an id, and responses that are not JSON-RPC. observe is called for each
// message, and may be nil.
func (c *Conversation) Reply(h content.Head, plan *mask.Plan, observe func(Outcome)) (*Reply, error) {
	r := &Reply{conv: c, plan: plan, observe: observe}
	if observe == nil {
		r.observe = func(Outcome) {}
	}
	name, _, err := mime.ParseMediaType(h.Type)
	switch {
	case err == nil && name == "text/event-stream":
		r.events = sse.NewDecoder(c.lim.Body)
	case err == nil && name == "application/json" && h.Status < 400:
	default:
		return r, r.maybe(h)
	}
	return r, r.decode(h)
}

// BindEvents gives the events of the body other ids than they have: what bind makes of them. Call it before Write.
func (r *Reply) BindEvents(bind func(id []byte) []byte) { r.bind = bind }

// decode undoes the body's codings.
func (r *Reply) decode(h content.Head) error {
	names, err := coding.Parse(h.Encoding)
	if err != nil || len(names) == 0 {
		return err
	}
	r.dec = coding.NewDecoder(names, 0)
	r.enc, err = coding.NewEncoder(names)
	return err
}

// Changes reports whether the body may come out other than it went in.
func (r *Reply) Changes() bool { return r.other == nil || r.other.Changes() }

// Masked is how many values have been masked so far.
func (r *Reply) Masked() int {
	if r.other != nil {
		return r.other.Masked()
	}
	if r.loose != nil {
		return r.masked + r.loose.Masked()
	}
	return r.masked
}

// Write takes the next piece of the body, which is not kept, and appends to dst
// what can be given out: whole events; of a JSON body nothing before Close.
func (r *Reply) Write(dst, piece []byte) ([]byte, error) {
	switch {
	case r.err != nil:
		return dst, r.err
	case r.other != nil:
		return r.other.Write(dst, piece)
	case len(piece) == 0:
		return dst, nil
	}
	r.some, r.dst = true, dst
	var err error
	if r.dec == nil {
		err = r.take(piece)
	} else {
		r.dst = r.plain[:0]
		if err = r.dec.Write(piece, r.take); err == nil {
			dst, err = r.packed(dst)
			r.dst = dst
		}
	}
	out := r.dst
	r.dst = nil
	return out, r.keep(err)
}

// packed encodes what has come out again.
func (r *Reply) packed(dst []byte) ([]byte, error) {
	r.plain = r.dst
	if len(r.plain) == 0 {
		return dst, nil
	}
	dst, err := r.enc.Write(dst, r.plain)
	if err == nil {
		dst, err = r.enc.Flush(dst)
	}
	return dst, err
}

// take gets plain bytes.
func (r *Reply) take(plain []byte) error {
	if r.events != nil {
		return r.events.Write(plain, r.event)
	}
	if r.loose != nil && !r.spilled && len(r.buf)+len(plain) > r.conv.lim.Body {
		if t := bytes.TrimSpace(r.buf); len(t) > 0 && t[0] != '{' && t[0] != '[' {
			return r.spill(plain)
		}
	}
	if r.spilled {
		return r.spill(plain)
	}
	if len(r.buf)+len(plain) > r.conv.lim.Body {
		return refusal.New(refusal.TooLarge, "a message of the MCP server has more than %d bytes", r.conv.lim.Body)
	}
	r.buf = append(r.buf, plain...)
	return nil
}

// Close ends the body.
func (r *Reply) Close(dst []byte) ([]byte, error) {
	switch {
	case r.err != nil:
		return dst, r.err
	case r.other != nil:
		return r.other.Close(dst)
	case !r.some:
		r.keep(refusal.New(refusal.State, "the body has ended"))
		return dst, nil
	case r.dec == nil:
		r.dst = dst
		err := r.end()
		dst, r.dst = r.dst, nil
		return dst, r.finish(err)
	}
	r.dst = r.plain[:0]
	err := r.dec.Close(r.take)
	if err == nil {
		err = r.end()
	}
	if err == nil {
		if dst, err = r.packed(dst); err == nil {
			dst, err = r.enc.Close(dst)
		}
	}
	r.dst = nil
	return dst, r.finish(err)
}

func (r *Reply) end() error {
	if r.events != nil {
		return r.events.Close(r.event)
	}
	raw := bytes.TrimSpace(r.buf)
	if r.loose != nil && (r.spilled || !isRPC(raw)) {
		err := r.spill(nil)
		if err == nil {
			r.dst, err = r.loose.Close(r.dst)
		}
		return err
	}
	out, err := r.body(raw)
	r.dst = append(r.dst, out...)
	return err
}

func (r *Reply) finish(err error) error {
	if r.keep(err); err == nil {
		r.keep(refusal.New(refusal.State, "the body has ended"))
	}
	return err
}

// Flush does what content.Stream.Flush does; messages are never held back once they are whole.
func (r *Reply) Flush(dst []byte) ([]byte, error) {
	if r.other != nil {
		return r.other.Flush(dst)
	}
	return dst, r.err
}

// Abort gives up a body that will not be closed. It may be called at any time, also twice.
func (r *Reply) Abort() {
	if r.other != nil {
		r.other.Abort()
	}
	r.loose.Abort()
	if r.err == nil {
		r.keep(refusal.New(refusal.State, "the body was given up"))
	}
}

func (r *Reply) keep(err error) error {
	if err != nil {
		if r.err = err; r.dec != nil {
			r.dec.Abort()
		}
	}
	return err
}

// event is one event of a stream: its data is a message, or several.
func (r *Reply) event(e *sse.Event) error {
	if e.Open { // clients drop it
		return nil
	}
	if data := bytes.TrimSpace(e.Data); len(data) > 0 {
		out, err := r.body(data)
		if err != nil {
			return err
		}
		e.Data = out
	}
	e.Type, e.ID, e.Retry = r.text(e.Type), r.text(e.ID), r.text(e.Retry)
	if r.bind != nil && len(e.ID) > 0 { // an empty one says that there is none
		e.ID = r.bind(e.ID)
	}
	for i := range e.Comments {
		e.Comments[i] = r.text(e.Comments[i])
	}
	r.dst = e.Append(r.dst)
	return nil
}

// text runs the detectors on what an event has beside its data.
func (r *Reply) text(b []byte) []byte {
	values := r.plan.Values()
	out, _, n := values.Text(nil, mask.Named{}, nil, b)
	if n == 0 {
		return b
	}
	r.masked += n
	return bytes.ReplaceAll(out, []byte("\n"), []byte(" "))
}

// body is a message or a batch.
func (r *Reply) body(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if raw[0] != '[' {
		return r.message(raw)
	}
	items, ok := readList(raw)
	if !ok || len(items) > r.conv.lim.Messages {
		return nil, broken()
	}
	for i := range items {
		var err error
		if items[i], err = r.message(items[i]); err != nil {
			return nil, err
		}
	}
	return appendList(nil, items), nil
}

func broken() error {
	return refusal.New(refusal.Undecodable, "a message of the MCP server is not JSON-RPC")
}
