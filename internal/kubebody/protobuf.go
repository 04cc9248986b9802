package kubebody

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// magic begins a body of Kubernetes' protobuf; a message runtime.Unknown follows (k8s.io/apimachinery, serializer/protobuf).
var magic = []byte("k8s\x00")

// message is what generated types do.
type message interface {
	Unmarshal([]byte) error
	Marshal() ([]byte, error)
}

// fromProtobuf decodes an envelope and the object in it.
func fromProtobuf(body []byte) (out []byte, err error) {
	defer func() { // generated code and marshalers of many hands, on bytes of an agent's
		if p := recover(); p != nil {
			out, err = nil, bodyError("it is no protobuf of Kubernetes")
		}
	}()
	rest, ok := bytes.CutPrefix(body, magic)
	if !ok {
		return nil, bodyError("it is no protobuf of Kubernetes")
	}
	var envelope runtime.Unknown
	if err := decode(&envelope, rest); err != nil {
		return nil, err
	}
	if envelope.ContentEncoding != "" || envelope.ContentType != "" && envelope.ContentType != typeProtobuf {
		return nil, bodyError("its protobuf has another form within")
	}
	kind := schema.FromAPIVersionAndKind(envelope.APIVersion, envelope.Kind)
	obj, err := kinds.New(kind)
	if err != nil {
		return nil, bodyError(fmt.Sprintf("protobuf of %.100q %.100q is not known here", envelope.APIVersion, envelope.Kind))
	}
	m, ok := obj.(message)
	if !ok {
		return nil, bodyError(fmt.Sprintf("%.100q has no protobuf", envelope.Kind))
	}
	if err := decode(m, envelope.Raw); err != nil {
		return nil, err
	}
	obj.GetObjectKind().SetGroupVersionKind(kind)
	if out, err = json.Marshal(obj); err != nil {
		return nil, bodyError("its protobuf has no JSON")
	}
	return out, nil
}

// decode reads a message and refuses what would be left out: generated code skips what it does not know.
func decode(m message, b []byte) error {
	if err := m.Unmarshal(b); err != nil {
		return bodyError("it is no protobuf of Kubernetes")
	}
	again, err := m.Marshal()
	if err != nil {
		return bodyError("it is no protobuf of Kubernetes")
	}
	if !bytes.Equal(b, again) && !within(b, again, 0) {
		return bodyError("its protobuf has fields that are not known here")
	}
	return nil
}

// within reports whether every field of a message is one of another that was made of it: in the same order of those of one
// number, with the same bytes or, as messages, within it in turn. The other may have more: what is there by default.
func within(b, all []byte, depth int) bool {
	if depth > maxDepth {
		return false
	}
	in, ok := fields(b)
	if !ok {
		return false
	}
	out, ok := fields(all)
	if !ok {
		return false
	}
	for n, values := range in {
		if len(values) > len(out[n]) {
			return false
		}
		for i, v := range values {
			o := out[n][i]
			if v.kind != o.kind || !bytes.Equal(v.bytes, o.bytes) && (v.kind != protowire.BytesType || !within(v.bytes, o.bytes, depth+1)) {
				return false
			}
		}
	}
	return true
}

type field struct {
	kind  protowire.Type
	bytes []byte // of a message or text without its length
}

func fields(b []byte) (map[protowire.Number][]field, bool) {
	all := map[protowire.Number][]field{}
	for len(b) > 0 {
		n, kind, head := protowire.ConsumeTag(b)
		if head < 0 || kind == protowire.StartGroupType || kind == protowire.EndGroupType {
			return nil, false
		}
		b = b[head:]
		size := protowire.ConsumeFieldValue(n, kind, b)
		if size < 0 {
			return nil, false
		}
		v := b[:size]
		if kind == protowire.BytesType {
			v, _ = protowire.ConsumeBytes(v)
		}
		all[n] = append(all[n], field{kind, v})
		b = b[size:]
	}
	return all, true
}
