package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/e2erig"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/policy"
	"dragoman.dev/dragoman/internal/record"
)

// recordedAction is what the record has of one action.
type recordedAction struct {
	record.ActionPayload
	request []byte
	result  record.Result
}

// recordedActions are the actions of all sessions of a gateway whose statement begins so, each with its result.
func recordedActions(t testing.TB, g *gateway, begins string) (list []*recordedAction) {
	t.Helper()
	var session string
	actions := map[uint64]*recordedAction{}
	seen := map[string]bool{} // a session may be in the spool and sealed at the same time
	decode := func(b []byte, into any) {
		if err := json.Unmarshal(b, into); err != nil {
			t.Error(err)
		}
	}
	err := e2erig.Frames(filepath.Join(g.dir, "data"), func(f *record.Frame) {
		a := actions[f.Action]
		switch f.Kind {
		case record.KindOpen:
			var o record.Open
			decode(f.Payload, &o)
			session, actions = o.Session.ID, map[uint64]*recordedAction{}
		case record.KindAction:
			a = &recordedAction{}
			decode(f.Payload, &a.ActionPayload)
			actions[f.Action] = a
		case record.KindRequest:
			if a != nil {
				a.request = append(a.request, f.Payload...)
			}
		case record.KindResult:
			id := fmt.Sprint(session, f.Action)
			if a == nil || seen[id] || !strings.HasPrefix(a.Action.Text, begins) {
				return
			}
			decode(f.Payload, &a.result)
			seen[id], list = true, append(list, a)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// awaitActions waits until so many actions that begin so are in the record as a whole.
func awaitActions(t testing.TB, g *gateway, begins string, n int) (list []*recordedAction) {
	t.Helper()
	waitUntil(t, 60*time.Second, fmt.Sprintf("the record has %d actions that begin with %q", n, begins), func() bool {
		list = recordedActions(t, g, begins)
		return len(list) >= n
	})
	return list
}

// longDataRecorded: parameters that came in pieces are in the record as such: their text, or size and digest.
func longDataRecorded(t *testing.T, g *gateway, long map[string][2][]byte) {
	t.Helper()
	for _, a := range awaitActions(t, g, "INSERT INTO files", len(long)) {
		p := a.Action.Params
		if len(p) != 3 || a.result.Status != "ok" || a.Decision.Verdict != policy.Allow {
			t.Errorf("%+v %+v", p, a.result)
			continue
		}
		for i, want := range long[p[0].Value] {
			if got := p[1+i]; got != longParam(want) {
				t.Errorf("parameter %d of %s: %.100v, want %.100v", 1+i, p[0].Value, got, longParam(want))
			}
		}
		delete(long, p[0].Value)
	}
	if len(long) > 0 {
		t.Errorf("%d executions are not in the record", len(long))
	}
}

// longParam is a value as the record has it.
func longParam(v []byte) action.Param {
	if len(v) > 64<<10 {
		return action.Param{Value: fmt.Sprintf("%d bytes, sha256 %x", len(v), sha256.Sum256(v)), Encoding: "digest"}
	}
	return action.Param{Value: string(v)}
}

// loadRecorded: LOCAL INFILE is refused by default, and the server is not asked; where a rule allows it, the record has the
// statement with the rule, and the file's bytes as the client sent them.
func loadRecorded(t *testing.T, g *gateway, port int) {
	const load = "LOAD DATA LOCAL INFILE 'mine.txt' INTO TABLE loaded FIELDS TERMINATED BY ','"
	file := []byte("1,one\n2,two\n3,from the client's disk\n")
	for _, group := range []string{"callers", "loaders"} {
		r := rawConnect(t, mysqlPlace{Port: port, Password: g.token(group), Database: "shop"}, wire.Offered)
		r.send(0, append([]byte{wire.ComQuery}, load...))
		b := r.next()
		if group == "callers" {
			if b[0] != wire.HeadErr || !strings.Contains(string(b), "client's files may not be read") {
				t.Errorf("LOCAL INFILE is not refused: %q", b)
			}
			continue
		}
		if b[0] != wire.HeadInfile {
			t.Fatalf("no file is asked for: %q", b)
		}
		r.send(2, file[:10])
		r.send(3, file[10:])
		r.send(4, nil)
		if b := r.next(); b[0] != wire.HeadOK {
			t.Fatalf("load: %q", b)
		}
	}
	var verdicts []string
	for _, a := range awaitActions(t, g, load, 2) {
		verdicts = append(verdicts, fmt.Sprint(a.Decision.Verdict, " ", a.result.Status))
		if !slices.Contains(a.Action.Verbs, "load") || !a.Action.Has("client_file") || len(a.Action.Writes) != 1 || a.Action.Writes[0].Name != "loaded" {
			t.Errorf("judged as %+v", a.Action)
		}
		switch {
		case a.Decision.Verdict == policy.Block && len(a.request) > 0:
			t.Error("the target got a statement that is refused")
		case a.Decision.Verdict == policy.Allow && (a.Decision.Rule != "loaders" || a.result.Rows != 3 || !bytes.Contains(a.request, file[:10]) || !bytes.Contains(a.request, file[10:])):
			t.Errorf("%+v %+v, request %q", a.Decision, a.result, a.request)
		}
	}
	slices.Sort(verdicts)
	if got := strings.Join(verdicts, ", "); got != "allow ok, block blocked" {
		t.Error(got)
	}
}
