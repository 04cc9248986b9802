package ulid

import (
	"testing"
	"time"
)

func TestNew(t *testing.T) {
	at := time.UnixMilli(1469918176385) // the ULID spec's example: 01ARYZ6S41…
	id := New("ses_", at)
	if id[:14] != "ses_01ARYZ6S41" || len(id) != 4+Length || !Valid("ses_", id) {
		t.Fatal(id)
	}
	seen := map[string]bool{}
	for i := range 1000 {
		a, b := New("", at.Add(time.Duration(i)*time.Millisecond)), New("", at.Add(time.Duration(i+1)*time.Millisecond))
		if a >= b || seen[a] {
			t.Fatalf("%s %s", a, b)
		}
		seen[a] = true
	}
	for _, bad := range []string{"", "ses_", "ses_1", "tok_" + id[4:], "ses_8" + id[5:], "ses_" + id[4:29] + "U", id + "0"} {
		if Valid("ses_", bad) {
			t.Errorf("%q is valid", bad)
		}
	}
}
