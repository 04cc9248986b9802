package mask

import "testing"

// TestBase64: what stands for a text that its readers decode can be decoded.
func TestBase64(t *testing.T) {
	p, err := Compile([]Spec{{JSON: []string{"$.data.*"}, Fields: []string{"x"}, Way: WayBase64}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	values := p.Values()
	by := Named{p.fields[0].value}
	if out, null, n := values.Text(nil, by, []byte("x"), []byte("c2VjcmV0")); string(out) != "W3JlZGFjdGVkXQ==" || null || n != 1 || by.Hidden() != string(out) {
		t.Errorf("%s %v %d", out, null, n)
	}
	if out, _, _ := values.Number(nil, by, nil, []byte("12")); string(out) == "12" || string(out) == "W3JlZGFjdGVkXQ==" {
		t.Errorf("%s", out)
	}
}

// TestEmpty: a text becomes empty, of which a reader that parses it makes nothing; a number does not stay what it is.
func TestEmpty(t *testing.T) {
	p, err := Compile([]Spec{{JSON: []string{"$.a"}, Fields: []string{"x"}, Way: WayEmpty}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	values, by := p.Values(), Named{p.fields[0].value}
	if out, null, n := values.Text(nil, by, []byte("x"), []byte("secret")); len(out) != 0 || null || n != 1 || by.Hidden() != "" || by.Null() {
		t.Errorf("%q %v %d", out, null, n)
	}
	if out, _, _ := values.Number(nil, by, nil, []byte("12")); string(out) == "12" || len(out) == 0 {
		t.Errorf("%q", out)
	}
}
