package record

import (
	"encoding/json"
	"slices"
	"strconv"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/policy"
)

// AppendAction appends the JSON of a KindAction frame's payload without reflection, but for what few actions have (mask specs,
// features that are neither truth values, numbers nor texts). The bytes are those of encoding/json without HTML escapes.
func AppendAction(b []byte, a *action.Action, d *policy.Decision) ([]byte, error) {
	b = AppendString(append(b, `{"action":{"kind":`...), a.Kind)
	b = appendStrings(append(b, `,"verbs":`...), a.Verbs)
	b = appendList(append(b, `,"reads":`...), a.Reads, appendObject)
	b = appendList(append(b, `,"writes":`...), a.Writes, appendObject)
	b = appendList(append(b, `,"functions":`...), a.Functions, appendFunction)
	b, err := appendFeatures(append(b, `,"features":`...), a.Features)
	if err != nil {
		return nil, err
	}
	b = AppendString(append(b, `,"text":`...), a.Text)
	b = appendList(append(b, paramsKey...), a.Params, appendParam)
	b = AppendString(append(b, `,"fingerprint":`...), a.Fingerprint)
	if b, err = appendDecision(append(b, `},"decision":`...), d); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

func appendDecision(b []byte, d *policy.Decision) ([]byte, error) {
	b = AppendString(append(b, `{"verdict":`...), d.Verdict.String())
	b = AppendString(append(b, `,"rule":`...), d.Rule)
	b = AppendString(append(b, `,"reason":`...), d.Reason)
	if d.Hint != "" {
		b = AppendString(append(b, `,"hint":`...), d.Hint)
	}
	if len(d.Approvers) > 0 {
		b = appendStrings(append(b, `,"approvers":`...), d.Approvers)
	}
	for _, n := range [...]struct {
		key   string
		value int64
	}{{`,"quorum":`, int64(d.Quorum)}, {`,"timeout":`, int64(d.Timeout)}, {`,"shape_for":`, int64(d.ShapeFor)}} {
		if n.value != 0 {
			b = strconv.AppendInt(append(b, n.key...), n.value, 10)
		}
	}
	if d.ShapePool {
		b = append(b, `,"shape_pool":true`...)
	}
	if len(d.Mask) > 0 {
		list, err := json.Marshal(d.Mask)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"mask":`...), list...)
	}
	return append(AppendString(append(b, `,"revision":`...), d.Revision), '}'), nil
}

func appendObject(b []byte, o *action.Object) []byte {
	b = AppendString(append(b, `{"schema":`...), o.Schema)
	b = AppendString(append(b, `,"name":`...), o.Name)
	b = appendStrings(append(b, `,"columns":`...), o.Columns)
	return append(strconv.AppendBool(append(b, `,"resolved":`...), o.Resolved), '}')
}

func appendFunction(b []byte, f *action.Function) []byte {
	b = AppendString(append(b, `{"schema":`...), f.Schema)
	b = AppendString(append(b, `,"name":`...), f.Name)
	b = AppendString(append(b, `,"volatility":`...), f.Volatility)
	return append(strconv.AppendBool(append(b, `,"opaque":`...), f.Opaque), '}')
}

// AppendParams appends parameters as the JSON of an action has them; none are an empty array.
func AppendParams(b []byte, list []action.Param) []byte {
	if list == nil {
		return append(b, "[]"...)
	}
	return appendList(b, list, appendParam)
}

func appendParam(b []byte, p *action.Param) []byte {
	b = AppendString(append(b, `{"value":`...), p.Value)
	if p.Name != "" {
		b = AppendString(append(b, `,"name":`...), p.Name)
	}
	if p.Null {
		b = append(b, `,"null":true`...)
	}
	if p.Encoding != "" {
		b = AppendString(append(b, `,"encoding":`...), p.Encoding)
	}
	return append(b, '}')
}

func appendList[T any](b []byte, list []T, one func([]byte, *T) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &list[i])
	}
	return append(b, ']')
}

func appendStrings(b []byte, list []string) []byte {
	return appendList(b, list, func(b []byte, s *string) []byte { return AppendString(b, *s) })
}

// appendFeatures writes the keys in order, as encoding/json does.
func appendFeatures(b []byte, m map[string]any) ([]byte, error) {
	if m == nil {
		return append(b, "null"...), nil
	}
	var stack [8]string
	keys := stack[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendString(b, k), ':')
		switch v := m[k].(type) {
		case bool:
			b = strconv.AppendBool(b, v)
		case string:
			b = AppendString(b, v)
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		default:
			j, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			b = append(b, j...)
		}
	}
	return append(b, '}'), nil
}

// AppendString appends a JSON string. Printable ASCII is what it is in Go's syntax.
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			j, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, j...)
		}
	}
	return strconv.AppendQuote(b, s)
}
