package kube

import (
	"encoding/json"
	"testing"
)

func TestStatus(t *testing.T) {
	for text, want := range map[string]string{
		`{"status":"Success"}`: "0",
		`{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}`:   "7",
		`{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"700"}]}}`: "",
		`{"status":"Failure","reason":"InternalError","message":"x"}`:                                                  "",
	} {
		s, err := ParseStatus([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := s.Exit(); code != want {
			t.Errorf("%s: %q", text, code)
		}
		again, err := ParseStatus(s.JSON())
		if err != nil || again.Status != s.Status || !json.Valid(s.JSON()) {
			t.Errorf("%s became %s", text, s.JSON())
		}
	}
	if _, err := ParseStatus([]byte(`{"status":"Maybe"}`)); err == nil {
		t.Error("not a Status")
	}
}
