package page

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/web/api"
)

// sealedSession is one session whose record is a sealed file, or as far as live goes a live one.
type sealedSession struct {
	*backend
	file string
	row  audit.Session
	live *bytes.Reader // nil: the file
	left int64
}

func (s *sealedSession) Get(context.Context, string) (audit.Session, error) { return s.row, nil }

func (s *sealedSession) Actions(context.Context, string, uint64, int) ([]audit.Action, error) {
	return []audit.Action{{Session: largeID, Ordinal: 1, Verdict: "allow", Text: statementOf(1), Kind: "sql"}}, nil
}

func (s *sealedSession) Frames(context.Context, string) (api.Frames, error) {
	if s.live != nil {
		return record.NewFileReader(struct {
			io.ReaderAt
			io.Closer
		}{s.live, io.NopCloser(nil)}, largeID, s.left), nil
	}
	r, err := record.OpenPath(s.file)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// longActions are enough for a record of several blocks.
const longActions = 6000

func newSealed(t *testing.T) *sealedSession {
	t.Helper()
	s := &sealedSession{backend: &backend{}, file: filepath.Join(t.TempDir(), "large.drs")}
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeLarge(w, time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), longActions)) }()
	foot, err := record.SealFile(s.file, largeID, r)
	if err != nil {
		t.Fatal(err)
	}
	s.row = audit.Session{ID: largeID, Target: "shop", Protocol: "postgres", Actors: []string{"agent:bot"}, Groups: []string{}, Frames: foot.Frames, Sealed: true, Hash: hex.EncodeToString(foot.Hash[:])}
	return s
}

// TestBrokenRecords: a record that is not what was written is shown as broken before anything else of its session, on each of its pages, and
// nothing of it is shown that the chain does not lead to.
func TestBrokenRecords(t *testing.T) {
	good, err := os.ReadFile(newSealed(t).file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(at int) []byte { b := bytes.Clone(good); b[at] ^= 1; return b }
	last := fmt.Sprintf("/actions/%d", longActions)
	const loud = "This record is broken"
	for _, c := range []struct {
		name        string
		file        []byte
		says        string
		first, last bool // actions that are shown
	}{
		{"as it was sealed", good, "chain good", true, true},
		{"a changed byte in its middle", flipped(len(good) / 2), "does not hold at frame", true, false},
		{"a changed byte at its beginning", flipped(300), "does not hold at frame 0", false, false},
		{"cut off", good[:len(good)*2/3], "truncated", false, false},
		{"its footer", flipped(len(good) - 50), "does not match the frames", true, true},
		{"gone", nil, "not there", false, false},
		{"another one", nil, "not the record that was sealed", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSealed(t)
			switch {
			case c.name == "another one":
				s.row.Hash = strings.Repeat("0", 64)
			case c.file == nil:
				err = os.Remove(s.file)
			default:
				err = os.WriteFile(s.file, c.file, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			r := newRigWith(t, s)
			b := r.signedIn(api.Reader)
			res, page := r.get(b, "/sessions/"+largeID)
			for strings.Contains(page, "not checked yet") { // a slow machine
				_, page = r.get(b, "/sessions/"+largeID)
			}
			at, title := strings.Index(page, c.says), strings.Index(page, "<h1>")
			if res.StatusCode != 200 || at < 0 || title < at || strings.Contains(page, loud) != (c.says != "chain good") {
				t.Errorf("the session's page: %s\n%s", res.Status, page)
			}
			for path, shown := range map[string]bool{"/actions/1": c.first, last: c.last, "/actions/1?part=1": c.first, last + "?part=1": c.last} {
				res, page := r.get(b, "/sessions/"+largeID+path)
				if has := strings.Contains(page, "a note"); has != shown || has && c.says != "chain good" && strings.Index(page, "a note") < strings.Index(page, loud) {
					t.Errorf("%s: its result is there: %v\n%s", path, has, page)
				}
				if c.says != "chain good" && c.name != "gone" && !strings.Contains(page, loud) {
					t.Errorf("%s does not say that the record is broken: %s\n%s", path, res.Status, page)
				}
			}
			if res, page := r.get(b, "/sessions/"+largeID+"/checked"); res.StatusCode != 200 || !strings.Contains(page, c.says) {
				t.Errorf("checked: %s %s", res.Status, page)
			}
			if res, page := r.get(b, "/sessions/"+largeID+"/terminal"); res.StatusCode != 200 || strings.Index(page, c.says) > strings.Index(page, "<h1>") || !strings.Contains(page, c.says) {
				t.Errorf("the terminal's page: %s\n%s", res.Status, page)
			}
			res, page = r.get(b, "/sessions/"+largeID+"/cast")
			if c.name == "a changed byte in its middle" && (res.StatusCode != http.StatusInternalServerError || !strings.Contains(page, loud)) {
				t.Errorf("the player is given: %s\n%s", res.Status, page)
			}
		})
	}
}

// bare is a page's server without its routes.
func bare(s api.Sessions) *server {
	return &server{Guard: api.Guard{Backend: api.Backend{Sessions: s, Log: slog.New(slog.DiscardHandler)}}}
}

// TestPlacesInARecord: once a record was checked, a late action is read from a place near it, and is the same; what the chain does not
// lead to from there is not shown, and a record that was written anew is read from its beginning.
func TestPlacesInARecord(t *testing.T) {
	s := newSealed(t)
	cold, warm := bare(s), bare(s)
	if v := warm.check(t.Context(), s.row, time.Minute); v.Broken != "" || v.Running || v.Unread || v.Frames != 4*longActions+2 {
		t.Fatalf("%+v", v)
	}
	places := warm.trails.of(largeID).places
	if len(places) < 3 {
		t.Fatalf("%d places", len(places))
	}
	ordinals := []uint64{1, 2, longActions / 2, longActions - 1, longActions}
	for _, p := range places {
		ordinals = append(ordinals, p.last, p.last+1) // at both sides of it
	}
	for _, n := range ordinals {
		var got [2]actionData
		for i, one := range []*server{cold, warm} {
			one.trails.of("another")
			if i == 0 {
				one.trails.of(largeID).forget()
			}
			got[i] = actionData{Session: largeID, Ordinal: n}
			if err := one.collect(t.Context(), &got[i]); err != nil || got[i].Action == nil || len(got[i].Blocks) != 2 {
				t.Fatalf("action %d: %+v %v", n, got[i], err)
			}
		}
		if !reflect.DeepEqual(got[0], got[1]) {
			t.Errorf("action %d, from a place:\n%+v\nfrom the beginning:\n%+v", n, got[1], got[0])
		}
	}
	r, err := warm.read(t.Context(), largeID, longActions, nil)
	if err != nil || r.from < 4*longActions*3/4 {
		t.Errorf("the last of %d actions is read from frame %d: %v", longActions, r.from, err)
	}
	r.Close()

	raw, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(raw)
	bad[len(bad)*9/10] ^= 1
	if err := os.WriteFile(s.file, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	d := actionData{Session: largeID, Ordinal: longActions}
	if err := warm.collect(t.Context(), &d); d.Action != nil {
		t.Errorf("what was changed meanwhile is shown: %+v", d)
	} else if _, is := corrupt(err); !is {
		t.Error(err)
	}
	other := newSealed(t)
	other.file = filepath.Join(t.TempDir(), "other.drs")
	rd, w := io.Pipe()
	go func() { w.CloseWithError(writeLarge(w, time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC), longActions)) }()
	if _, err := record.SealFile(other.file, largeID, rd); err != nil {
		t.Fatal(err)
	}
	s.file = other.file
	if r, err := warm.read(t.Context(), largeID, longActions, nil); err != nil || r.from != 0 {
		t.Errorf("a record that was written anew is read from frame %d: %v", r.from, err)
	}
}

// TestLiveRecordIsCheckedOn: a live record is checked on from where it was checked to, and says that it goes on.
func TestLiveRecordIsCheckedOn(t *testing.T) {
	s := newSealed(t)
	var stream bytes.Buffer
	if err := writeLarge(&stream, time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), longActions); err != nil {
		t.Fatal(err)
	}
	file := append(record.StreamHeader(largeID), stream.Bytes()...)
	s.live, s.left, s.row.Sealed, s.row.Live = bytes.NewReader(file), int64(stream.Len()/2), false, true
	p := bare(s)
	half := p.verify(t.Context(), s.row)
	if !half.Live || half.Broken != "" || half.Frames < longActions || half.Frames > 3*longActions {
		t.Fatalf("%+v", half)
	}
	s.left = int64(stream.Len())
	if v := p.verify(t.Context(), s.row); v.Broken != "" || v.Frames != 4*longActions+2 {
		t.Errorf("%+v", v)
	}
	s.live = bytes.NewReader(slices.Concat(file[:len(file)-20], []byte{file[len(file)-20] ^ 1}, file[len(file)-19:]))
	if v := p.verify(t.Context(), s.row); v.Broken == "" {
		t.Errorf("its end was changed: %+v", v)
	}
}

// TestPlacesAreBounded: however long a record is, few places are kept, and they stay apart.
func TestPlacesAreBounded(t *testing.T) {
	var all trails
	for i := range 2 * maxTrails {
		all.of(fmt.Sprint(i))
	}
	if len(all.by) != maxTrails || len(all.used) != maxTrails {
		t.Errorf("%d records are remembered", len(all.by))
	}
	var stream bytes.Buffer
	if err := writeLarge(&stream, time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), longActions); err != nil {
		t.Fatal(err)
	}
	s := &sealedSession{backend: &backend{}, live: bytes.NewReader(append(record.StreamHeader(largeID), stream.Bytes()...)), left: int64(stream.Len())}
	p := bare(s)
	one := p.trails.of(largeID)
	one.step = 4 << 10
	p.verify(t.Context(), audit.Session{ID: largeID})
	if n := len(one.places); n < maxPlaces/4 || n > maxPlaces || one.step == 4<<10 {
		t.Errorf("%d places, %d apart", n, one.step)
	}
	for i := 1; i < len(one.places); i++ {
		if one.places[i].mark.Offset()-one.places[i-1].mark.Offset() < one.step || one.places[i].last < one.places[i-1].last {
			t.Errorf("place %d is at %d, the one before at %d", i, one.places[i].mark.Offset(), one.places[i-1].mark.Offset())
		}
	}
}
