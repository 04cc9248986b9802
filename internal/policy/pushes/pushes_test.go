package pushes

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"
)

func TestPushes(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := func() time.Time { at = at.Add(time.Minute); return at }
	path := filepath.Join(dir, "pushes")
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(path, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		revision string
		files    map[string]string
	}{{"r1", map[string]string{"rules.yaml": "a", "p.rego": "b"}}, {"r1", nil}, {"r2", map[string]string{"rules.yaml": "c", "q.rego": "d"}}} {
		if err := l.Add(one.revision, dir, one.files); err != nil {
			t.Fatal(err)
		}
	}
	// What a crash leaves of a line does not spoil the next.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `{"revision": "cut`)
	f.Close()
	if l, err = Open(path, now); err != nil {
		t.Fatal(err)
	}
	if err := l.Add("r3", dir, map[string]string{"rules.yaml": "c", "q.rego": "d"}); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(path, now); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	list := l.List()
	if len(list) != 3 || list[0].Revision != "r3" || list[0].Before != "r2" || len(list[0].Changes) != 0 || list[0].By != "" ||
		fmt.Sprint(list[1].Changes) != "[{q.rego added} {rules.yaml changed} {p.rego removed}]" || list[1].By != "local:"+me.Username || list[2].Before != "" {
		t.Errorf("%+v", list)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
}
