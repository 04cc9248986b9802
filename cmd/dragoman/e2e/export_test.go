package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/export/exporttest"
)

// exports checks what a session is in the standard forms: OCSF always, HAR where it has exchanges. words are what
// must be in all of them, secrets what may be in none. It gives the number of OCSF events and of HAR entries.
func (g *gateway) exports(t testing.TB, id string, har bool, words, secrets []string) (events, entries int) {
	t.Helper()
	look := func(form, text string) {
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", form, w, text)
			}
		}
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s has the secret %q", form, s)
			}
		}
	}
	var text string
	await(t, func() bool { // what was done last is on its way to the store
		text = g.must("sessions", "export", id, "--format", "ocsf")
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	}, func() string { return fmt.Sprintf("%q in %s", words, text) })
	look("ocsf", text)
	for line := range strings.Lines(text) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		if found := exporttest.OCSF(event); len(found) > 0 {
			t.Errorf("%s\n%s", strings.Join(found, "\n"), line)
		}
		events++
	}
	if har {
		text := g.must("sessions", "export", id, "--format", "har")
		look("har", text)
		n, found := exporttest.HAR([]byte(text))
		if len(found) > 0 {
			t.Errorf("%s\n%s", strings.Join(found, "\n"), text)
		}
		entries = n
	}
	return events, entries
}
