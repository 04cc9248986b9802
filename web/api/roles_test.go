package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/access"
	"dragoman.dev/dragoman/internal/identity"
)

// operation is what openapi.json says of one route.
type operation struct {
	method, path string
	Roles        []Role `json:"x-roles"`
	Security     *[]any `json:"security"`
}

func operations(t *testing.T) []operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]operation `json:"paths"`
	}
	if err := json.Unmarshal(openapi, &doc); err != nil {
		t.Fatal(err)
	}
	var all []operation
	for path, methods := range doc.Paths {
		for m, o := range methods {
			o.method, o.path = strings.ToUpper(m), path
			all = append(all, o)
		}
	}
	return all
}

// TestRoles tries every operation of openapi.json as every role, and without one. An operation
// without a rule fails.
func TestRoles(t *testing.T) {
	r := newRig(t)
	close(r.holds.watch)
	close(r.sessions.more)
	callers := map[Role]string{"none": "none", "visitor": r.token("visitors"), Reader: fixedToken, Auditor: r.token("revision"),
		Approver: r.token("dba"), Admin: r.token("admins")}
	for _, o := range operations(t) {
		open := o.Security != nil && len(*o.Security) == 0
		if open == (len(o.Roles) > 0) {
			t.Errorf("%s %s: give it x-roles, or an empty security", o.method, o.path)
			continue
		}
		for role, bearer := range callers {
			status, body := r.call(bearer, o.method, strings.Replace(o.path, "{id}", "none", 1), "")
			want := "in"
			switch {
			case open || slices.Contains(o.Roles, role):
			case role == "none":
				want = "401"
			default:
				want = "403"
			}
			got := "in"
			if status == 401 || status == 403 {
				got = fmt.Sprint(status)
			}
			if got != want {
				t.Errorf("%s %s as %s: %d, want %s: %s", o.method, o.path, role, status, want, body)
			}
		}
		if status, body := r.call("", o.method, strings.Replace(o.path, "{id}", "none", 1), ""); status == 401 || status == 403 {
			t.Errorf("%s %s on the socket: %d %s", o.method, o.path, status, body)
		}
	}
	for _, bad := range []string{"none", "x", fixedToken + "x", r.token("admins") + "x"} {
		if status, _ := r.call(bad, "GET", "/v1/sessions", ""); status != 401 {
			t.Errorf("%.10q: %d", bad, status)
		}
	}
}

// TestRouteRoles: what is served obeys what is described, also for what the test above cannot see.
func TestRouteRoles(t *testing.T) {
	said := map[string][]Role{}
	for _, o := range operations(t) {
		said[o.method+" "+o.path] = o.Roles
	}
	for _, route := range (&handler{}).routes() {
		var want []Role
		if route.Roles != nil {
			want = append(slices.Clone(route.Roles), Admin)
		}
		if got := said[route.Pattern]; len(want) != len(got) && !slices.Equal(got, []Role{Admin}) || len(want) == len(got) && !slices.Equal(want, got) {
			t.Errorf("%s: served for %v, described for %v", route.Pattern, want, got)
		}
		if strings.Contains(route.Pattern, "GET /v1/sessions/{id}") && route.Way == "" {
			t.Errorf("%s reads a session, and it is not recorded", route.Pattern)
		}
	}
}

func TestGrants(t *testing.T) {
	r := newRig(t)
	for bearer, status := range map[string]int{
		r.tokenOf("user:erin@example.com"):   200, // by subject
		r.tokenOf("user:erin@example.com.x"): 403,
		r.token("revision"):                  200,
		r.token():                            403,
	} {
		if got, body := r.call(bearer, "GET", "/v1/sessions", ""); got != status {
			t.Errorf("%d %s, want %d", got, body, status)
		}
	}
	for name, want := range map[string]Role{"read": Reader, "approve": Approver, "admin": Admin, "auditor": Auditor, "": "", "Admin": "", "root": ""} {
		if got, err := ParseRole(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", name, got, err)
		}
	}
}

// TestReadsAreRecorded: by every way, refused ones too, with who it was.
func TestReadsAreRecorded(t *testing.T) {
	r := newRig(t)
	close(r.sessions.more)
	reader, auditor := fixedToken, r.token("revision")
	for _, path := range []string{"", "/" + session, "/" + session + "/actions", "/" + session + "/frames", "/" + session + "/frames?way=replay",
		"/" + session + "/frames?way=export", "/" + session + "/frames?way=nonsense", "/" + session + "/tail", "/" + session + "/proof"} {
		r.call(reader, "GET", "/v1/sessions"+path, "")
	}
	r.call(r.token("dba"), "GET", "/v1/sessions/"+session, "") // refused
	r.callAs("user:erin@example.com", "", "GET", "/v1/sessions/"+session, "")
	status, body := r.call(auditor, "GET", "/v1/reads?session="+session, "")
	var got struct{ Reads []access.Entry }
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatal(status, body)
	}
	slices.Reverse(got.Reads)
	var ways []string
	for _, e := range got.Reads {
		ways = append(ways, e.Way)
	}
	if w := strings.Join(ways, " "); w != "list show actions frames replay export frames tail proof show show" {
		t.Fatal(w)
	}
	if e := got.Reads[0]; e.By != "ci:export" || e.Via != ViaAPI || !e.Allowed {
		t.Errorf("%+v", e)
	}
	if e := got.Reads[9]; e.By != "user:dana@example.com" || e.Allowed || !strings.Contains(e.Reason, "needs the role reader or auditor or admin") {
		t.Errorf("%+v", e)
	}
	if e := got.Reads[10]; e.By != "user:erin@example.com" || e.Method != identity.MethodLocal || !strings.HasPrefix(e.Issuer, "local:") || e.Via != ViaSocket {
		t.Errorf("%+v", e)
	}
	if _, all := r.call(auditor, "GET", "/v1/reads?identity=user:dana@example.com", ""); !strings.Contains(all, `"way":"reads"`) {
		t.Error("reading the access log is not in it", all)
	}
	// The access log itself is for auditors, by whatever way.
	record := got.Reads[0].Record
	for _, path := range []string{"/v1/reads", "/v1/sessions?target=(audit)", "/v1/sessions/" + record, "/v1/sessions/" + record + "/frames", "/v1/sessions/" + record + "/tail"} {
		if status, body := r.call(reader, "GET", path, ""); status != 403 {
			t.Errorf("%s as a reader: %d %s", path, status, body)
		}
		if status, body := r.call(auditor, "GET", path, ""); status == 403 {
			t.Errorf("%s as an auditor: %d %s", path, status, body)
		}
	}
}

// TestUnrecordable: what cannot be recorded is not served.
func TestUnrecordable(t *testing.T) {
	r := newRig(t)
	close(r.sessions.more)
	r.sessions.noReads = true
	for _, path := range []string{"/v1/sessions", "/v1/sessions/" + session, "/v1/sessions/" + session + "/frames", "/v1/reads"} {
		if status, body := r.call("", "GET", path, ""); status != 503 || strings.Contains(body, session) || strings.Contains(body, "disk") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _ := r.call("", "GET", "/v1/status", ""); status != 200 {
		t.Error("what is no read is not served", status)
	}
}

// TestStated: only the socket may state who acts.
func TestStated(t *testing.T) {
	r := newRig(t)
	for _, x := range []struct {
		as, bearer string
		status     int
	}{
		{"user:erin@example.com", "", 200}, {"a b", "", 400}, {"user:erin@example.com", r.token("admins"), 403},
	} {
		if status, body := r.callAs(x.as, x.bearer, "GET", "/v1/sessions", ""); status != x.status {
			t.Errorf("%+v: %d %s", x, status, body)
		}
	}
	if status, body := r.callAs("user:erin@example.com", "", "POST", "/v1/approvals/hld_1/deny", "{}"); status != 200 || r.holds.votes[0].By.Subject != "user:erin@example.com" {
		t.Error(status, body)
	}
}

// TestProofs: an auditor gets what shows that a session is in the log, and that the log only grows.
func TestProofs(t *testing.T) {
	r := newRig(t)
	var head Head
	_, body := r.call("", "GET", "/v1/log/checkpoint", "")
	if err := json.Unmarshal([]byte(body), &head); err != nil || head.Size != 0 || !strings.HasPrefix(head.Checkpoint, head.Origin+"\n") {
		t.Fatal(body, err)
	}
	for path, status := range map[string]int{"/v1/log/consistency": 400, "/v1/log/consistency?from=x": 400, "/v1/log/consistency?from=9": 400, "/v1/sessions/" + session + "/proof": 404} {
		if got, body := r.call("", "GET", path, ""); got != status {
			t.Errorf("%s: %d %s", path, got, body)
		}
	}
}
