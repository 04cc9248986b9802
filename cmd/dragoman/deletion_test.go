package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seal ends the record of a session and waits until its final file is there.
func (r *rig) seal(id string) {
	r.t.Helper()
	r.must("sessions", "lost", id)
	r.eventually(id+" is sealed", func() bool {
		found, _ := filepath.Glob(filepath.Join(r.dir, "data/audit/sessions/*/*/*", id+".*"))
		return len(found) == 1 && filepath.Ext(found[0]) == ".drs"
	})
}

// TestDeletion: a record is deleted for good, and everybody can see that it was.
func TestDeletion(t *testing.T) {
	r := newControlRig(t, "").up()
	if out := r.want(exitDenied, "sessions", "delete", "ses_a"); !strings.Contains(out, "has not ended") {
		t.Error(out)
	}
	r.want(exitNotFound, "sessions", "delete", "ses_none")
	r.seal("ses_a")
	verify := []string{"audit", "verify", "--key", filepath.Join(r.dir, "data", "keys", "record.pub"), "--data"}
	backup := filepath.Join(r.dir, "backup")
	for _, part := range []string{"sessions", "log"} {
		if err := os.CopyFS(filepath.Join(backup, part), os.DirFS(filepath.Join(r.dir, "data", "audit", part))); err != nil {
			t.Fatal(err)
		}
	}
	if out := r.must(append(verify, backup)...); !strings.Contains(out, "encrypted records were verified as a whole only") || !strings.Contains(out, ": whole") {
		t.Error(out)
	}
	if out := r.must("sessions", "--as", "user:dana@example.com", "delete", "ses_a"); !strings.Contains(out, "is deleted") {
		t.Error(out)
	}
	r.want(exitNotFound, "sessions", "show", "ses_a")
	r.want(exitNotFound, "sessions", "replay", "ses_a")
	if out := r.must("audit", "verify"); !strings.Contains(out, "1 records were deleted in order") || strings.Contains(out, "as a whole only") {
		t.Error(out)
	}
	if out := r.must("audit", "reads", "--session", "ses_a", "--json"); !strings.Contains(out, `"delete"`) || !strings.Contains(out, "dana@example.com") {
		t.Error(out)
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, "data/audit/*/*/*/*/ses_a.*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestLegalHold(t *testing.T) {
	r := newControlRig(t, "")
	b, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	r.write("dragoman.yaml", strings.Replace(string(b), "credentials: {user: app}", "credentials: {user: app}, audit: {legal_hold: true, retention: 1ns}", 1))
	r.up()
	r.seal("ses_a")
	if out := r.want(exitDenied, "sessions", "delete", "ses_a"); !strings.Contains(out, "legal hold") {
		t.Error(out)
	}
	r.must("sessions", "show", "ses_a")
}

// TestKeyEncryptionKey: it is changed, the old one goes, and nothing is made anew where one was lost.
func TestKeyEncryptionKey(t *testing.T) {
	r := newControlRig(t, "").up()
	r.seal("ses_a")
	r.stop()
	b, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	with := func(more string) { r.write("dragoman.yaml", string(b)+more) }
	old := filepath.Join(r.dir, "data", "keys", "bodies.kek")
	with("audit: {encryption: {key: \"file:new.kek\", old: [\"file:data/keys/bodies.kek\"]}}\n")
	r.up()
	if out := r.must("audit", "rewrap-keys"); !strings.Contains(out, "wrapped again") || strings.Contains(out, " 0 of them") {
		t.Error(out)
	}
	r.stop()
	if err := os.Remove(old); err != nil {
		t.Fatal(err)
	}
	with("audit: {encryption: {key: \"file:new.kek\"}}\n")
	r.up()
	r.must("sessions", "replay", "ses_a")
	r.must("audit", "verify")
	r.stop()
	if err := os.Remove(filepath.Join(r.dir, "new.kek")); err != nil {
		t.Fatal(err)
	}
	if out := r.want(exitFailure, "up", "-c", r.config); !strings.Contains(out, "restore it from its backup") {
		t.Error(out)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "new.kek")); err == nil {
		t.Error("a lost key was made anew")
	}
}
