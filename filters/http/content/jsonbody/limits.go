// Package jsonbody masks JSON as it streams through: by JSONPath, and by detectors
// in every string, name and number. It takes bytes in any pieces and gives
// the same bytes whatever the pieces were. Memory is bounded by Limits,
// however large a document or a string in it is. It is strict (RFC 8259):
// what is not JSON is an error, and nothing of the faulty value has been given out.
//
// What it leaves to others: content codings, and which bodies are JSON.
package jsonbody

// Limits bound the memory that a document may take. Zero means the default.
type Limits struct {
	// Depth is how deep objects and lists may be nested.
	Depth int
	// Value is how many bytes a string may have that a mask must look at;
	// longer ones are hidden whole.
	Value int
	// Name is how many bytes a member's name may have.
	Name int
	// Number is how many bytes a number may have.
	Number int
}

// Defaults of Limits.
const (
	DefaultDepth  = 256
	DefaultValue  = 1 << 20
	DefaultName   = 64 << 10
	DefaultNumber = 4096
)

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		v   *int
		def int
	}{{&l.Depth, DefaultDepth}, {&l.Value, DefaultValue}, {&l.Name, DefaultName}, {&l.Number, DefaultNumber}} {
		if *f.v <= 0 {
			*f.v = f.def
		}
	}
	return l
}
