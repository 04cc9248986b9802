// Package mask hides values: by column, by detector, in a type-correct way, in
// text and in binary. It owns the mask specs, the detectors and the ways; which
// column a value came from is told to it (see internal/sql), and wire framing is
// left to the protocol packages.
package mask

// Ways of masking.
const (
	WayRedact  = "redact"  // a constant of the value's type
	WayNull    = "null"    // NULL
	WayPartial = "partial" // keeps a few characters (an e-mail's domain, a card's last four)
	WayHash    = "hash"    // keyed hash, equal inputs stay joinable
	WayBase64  = "base64"  // redact; text that JSON paths and fields name becomes base64 of the constant, for readers who decode it
	WayEmpty   = "empty"   // redact; text that JSON paths and fields name becomes an empty text, for readers who parse it
)

// What a masked column may do in a predicate, sort, group or join.
const (
	PredicatesBlock = "block" // the default, also for ""
	PredicatesAllow = "allow"
)

// Spec is one entry of a mask plan, as policy gives it.
type Spec struct {
	Name string `json:"name"`
	// Columns are globs over schema.table.column ("public.customers.email",
	// "*.*.ssn"); a missing schema means any schema.
	Columns []string `json:"columns,omitempty"`
	// Detectors are names of detectors that run on any text of the result
	// ("email", "card", "iban", "us_ssn", "phone", "jwt", "api_key").
	// With Columns as well, they run only on those columns.
	Detectors []string `json:"detectors,omitempty"`
	// Way is one of the ways above; "" means redact.
	Way string `json:"way,omitempty"`
	// KeepFirst and KeepLast are how many characters WayPartial leaves; both
	// zero means the default of the detected shape.
	KeepFirst int `json:"keep_first,omitempty"`
	KeepLast  int `json:"keep_last,omitempty"`
	// Predicates says whether the columns may be used to choose or order rows.
	Predicates string `json:"predicates,omitempty"`
	// JSON are JSONPaths (RFC 9535, the part that can be followed in a stream, see
	// ParseJSONPath) over JSON bodies, events, messages and tool results.
	// With Detectors as well, they run only on what the paths name.
	JSON []string `json:"json,omitempty"`
	// Fields are names of form fields, query parameters, header fields and
	// cookies; "*" stands for any characters. Case does not count.
	// With Detectors as well, they run only on those fields.
	Fields []string `json:"fields,omitempty"`
	// Opaque says whether content that this spec cannot look into may pass
	// (an image, a video, HTML when only JSON paths are given).
	Opaque string `json:"opaque,omitempty"`
}

// What happens to content that a spec cannot look into.
const (
	OpaqueBlock = "block" // the default, also for ""
	OpaqueAllow = "allow"
)
