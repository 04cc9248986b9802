package kubebody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"

	"gopkg.in/yaml.v3"
	k8syaml "sigs.k8s.io/yaml"
)

// Media types of bodies.
const (
	typeJSON     = "application/json"
	typeProtobuf = "application/vnd.kubernetes.protobuf"
	typeYAML     = "application/yaml"
	typeApply    = "application/apply-patch+yaml"
	typeCBOR     = "application/cbor"
	typeApplyC   = "application/apply-patch+cbor"
)

// ErrBody says why there is no JSON of a body; its text is for the client.
var ErrBody = errors.New("the body cannot be read")

type bodyError string

func (e bodyError) Error() string        { return string(e) }
func (e bodyError) Is(target error) bool { return target == ErrBody }

// Other reports whether a body of a content type is in a form of which JSON is made, or which is refused, by JSON.
func Other(contentType string) bool {
	switch t, _, err := mime.ParseMediaType(contentType); t {
	case typeProtobuf, typeYAML, typeApply, typeCBOR, typeApplyC:
		return err == nil
	}
	return false
}

// JSON is a body as JSON, and its content type then. Errors are ErrBody. The result does not share memory with body,
// unless it is body.
func JSON(contentType string, body []byte) ([]byte, string, error) {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, "", bodyError("its content type is malformed")
	}
	switch t {
	case typeProtobuf:
		out, err := fromProtobuf(body)
		return out, typeJSON, err
	case typeYAML:
		out, err := fromYAML(body)
		return out, typeJSON, err
	case typeApply: // an API server reads JSON as YAML, too
		if json.Valid(body) {
			return body, typeApply, nil
		}
		out, err := fromYAML(body)
		return out, typeApply, err
	case typeCBOR, typeApplyC:
		return nil, "", bodyError("CBOR is not read here")
	}
	return nil, "", bodyError("its content type is not known")
}

// maxDepth bounds how deep YAML may be nested; it is that of JSON (internal/kube).
const maxDepth = 64

// fromYAML reads one document without anchors: what they stand for can be far larger than what is there.
func fromYAML(body []byte) ([]byte, error) {
	d := yaml.NewDecoder(bytes.NewReader(body))
	var n yaml.Node
	if err := d.Decode(&n); err != nil {
		return nil, bodyError("it is no YAML")
	}
	if err := plain(&n, 0); err != nil {
		return nil, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, bodyError("it is more than one YAML document")
	}
	out, err := k8syaml.YAMLToJSONStrict(body)
	if err != nil {
		return nil, bodyError(fmt.Sprintf("it is no YAML of an object: %.200s", err))
	}
	return out, nil
}

func plain(n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return bodyError("its YAML is nested too deep")
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return bodyError("its YAML has anchors")
	}
	for _, inner := range n.Content {
		if err := plain(inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}
