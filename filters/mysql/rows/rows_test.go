package rows

import (
	"bytes"
	"testing"

	"dragoman.dev/dragoman/internal/mask"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/sql"
)

// masker hides what comes from the column ssn.
func masker(t testing.TB, typ byte, way string) *mask.Masker {
	t.Helper()
	p, err := mask.Compile([]mask.Spec{{Name: "m", Columns: []string{"*.*.ssn"}, Way: way}}, make([]byte, mask.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return p.Masker([]sql.Column{{Schema: "s", Table: "t", Name: "ssn"}}, true, false, MaskType(&wire.Column{Type: typ}))
}

// TestTypes: a masked value of each type is one of its type, in both formats, and shows nothing.
func TestTypes(t *testing.T) {
	for typ, text := range map[byte]string{wire.TypeTiny: "77", wire.TypeShort: "7777", wire.TypeLong: "777777", wire.TypeInt24: "77777", wire.TypeLonglong: "77777777",
		wire.TypeFloat: "7.25", wire.TypeDouble: "77.5", wire.TypeNewDecimal: "777.77", wire.TypeDate: "1977-07-07", wire.TypeDatetime: "1977-07-07 07:07:07",
		wire.TypeVarString: "seven", wire.TypeString: "seven", wire.TypeBlob: "seven", wire.TypeJSON: `"seven"`, wire.TypeEnum: "seven", wire.TypeYear: "1977"} {
		for _, way := range []string{mask.WayRedact, mask.WayNull, mask.WayHash} {
			cols := []Column{{Type: typ, Mask: masker(t, typ, way)}, {Type: wire.TypeVarString}}
			in := wire.AppendLenencString(wire.AppendLenencString(nil, text), "kept")
			out, masked, err := Text(nil, in, cols)
			if err != nil || masked != 1 || bytes.Contains(out, []byte(text)) || !bytes.HasSuffix(out, []byte("kept")) {
				t.Errorf("text %#x %s: %q %d %v", typ, way, out, masked, err)
			}
			bin := wire.AppendLenencString(wire.AppendBinary([]byte{0, 0}, typ, []byte(text)), "kept")
			out, masked, err = Binary(nil, bin, cols)
			if err != nil || masked != 1 || !bytes.HasSuffix(out, []byte("kept")) {
				t.Errorf("binary %#x %s: %q %d %v", typ, way, out, masked, err)
				continue
			}
			if _, again, err := Binary(nil, out, []Column{{Type: typ}, {Type: wire.TypeVarString}}); err != nil || again != 0 {
				t.Errorf("binary %#x %s: what comes out is no row: %q %v", typ, way, out, err)
			}
			if way == mask.WayNull && out[1]&4 == 0 {
				t.Errorf("binary %#x: not NULL", typ)
			}
		}
	}
	for _, typ := range []byte{wire.TypeBit, wire.TypeGeometry} {
		in := wire.AppendLenencString(nil, "\x01\x02")
		if out, masked, err := Text(nil, in, []Column{{Type: typ, Mask: masker(t, typ, mask.WayRedact)}}); err != nil || masked != 1 || !bytes.Equal(out, []byte{null}) {
			t.Errorf("%#x: %q %v", typ, out, err)
		}
	}
}

// FuzzRows: no row that is taken shows what is masked, and what comes out is a row again.
func FuzzRows(f *testing.F) {
	f.Add(wire.AppendLenencString(wire.AppendLenencString(nil, "1"), "secret"))
	f.Add([]byte{0, 0, 1, 0, 0, 0, 6, 's', 'e', 'c', 'r', 'e', 't'})
	m := masker(f, wire.TypeVarString, mask.WayRedact)
	f.Fuzz(func(t *testing.T, b []byte) {
		cols := []Column{{Type: wire.TypeLong}, {Type: wire.TypeVarString, Mask: m}}
		plain := []Column{{Type: wire.TypeLong}, {Type: wire.TypeVarString}}
		for _, rewrite := range []func([]byte, []byte, []Column) ([]byte, int, error){Text, Binary} {
			out, _, err := rewrite(nil, b, cols)
			if err != nil {
				continue
			}
			if _, _, err := rewrite(nil, out, plain); err != nil {
				t.Fatalf("%q became %q", b, out)
			}
		}
	})
}
