// Package ocsf writes events as those of the Open Cybersecurity Schema Framework, version
// 1.8.0 (https://schema.ocsf.io): sessions as Authentication (3002), SQL as Datastore Activity (6005), all other
// actions as API Activity (6003), with the profile security_control. It owns the mapping, which docs/telemetry.md
// describes; what has no place in the schema is in "unmapped".
package ocsf

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/export"
	"dragoman.dev/dragoman/internal/hold"
)

// Version of the schema.
const Version = "1.8.0"

// Classes, by their uid.
const (
	Authentication    = 3002
	APIActivity       = 6003
	DatastoreActivity = 6005
)

// Values of enumerations, by the attribute.
const (
	statusUnknown, statusSuccess, statusFailure        = 0, 1, 2
	severityInformational, severityLow, severityMedium = 1, 2, 3
	actionAllowed, actionDenied                        = 1, 2
	logon, logoff                                      = 1, 2
	dispositionAllowed, dispositionBlocked             = 1, 2
	dispositionApproved, dispositionRejected           = 8, 25
	other                                              = 99
)

type object = map[string]any

// Event is the OCSF event of e; version is that of the product.
func Event(e export.Event, version string) map[string]any {
	for _, s := range []*string{&e.Open.Target.Name, &e.Open.Target.Protocol, &e.Open.Identity.Method} {
		if *s == "" { // a record whose first frame cannot be read
			*s = "unknown"
		}
	}
	o := object{
		"time":     e.Time.UnixMilli(),
		"metadata": metadata(e, version),
		"actor":    actor(e),
		"unmapped": object{
			"chain": strings.Join(e.Open.Identity.Actors, ">"), "on_behalf_of": e.Open.Identity.OnBehalfOf,
			"method": e.Open.Identity.Method, "node": e.Open.Node,
			"target": e.Open.Target.Name, "protocol": e.Open.Target.Protocol, "labels": e.Open.Target.Labels,
		},
		"src_endpoint": endpoint(e.Open.Session.Client),
	}
	switch {
	case e.Kind != export.ActionEnded:
		session(o, e)
	case sql(e):
		statement(o, e)
	default:
		call(o, e)
	}
	return o
}

// class says which event it is.
func class(o object, uid int, name string, activity int, activityName string) {
	category, categoryName := uid/1000, map[int]string{3: "Identity & Access Management", 6: "Application Activity"}[uid/1000]
	o["class_uid"], o["class_name"], o["category_uid"], o["category_name"] = uid, name, category, categoryName
	o["activity_id"], o["activity_name"] = activity, activityName
	o["type_uid"], o["type_name"] = uid*100+activity, name+": "+activityName
}

func metadata(e export.Event, version string) object {
	return object{
		"version": Version, "uid": e.ID, "correlation_uid": e.Session, "sequence": e.Seq, "log_name": e.Kind,
		"product":  object{"name": "Dragoman", "vendor_name": "Dragoman", "version": version},
		"profiles": []string{"security_control"},
	}
}

// user is who acts.
func user(e export.Event) object {
	id := e.Open.Identity
	u := object{"name": id.Subject, "uid": id.Subject}
	kind, _, _ := strings.Cut(id.Subject, ":")
	switch kind {
	case "user":
		u["type_id"], u["type"] = 1, "User"
	case "":
		u["name"], u["uid"], u["type_id"], u["type"] = "unknown", "unknown", 0, "Unknown"
	default:
		u["type_id"], u["type"] = other, kind
	}
	var groups []object
	for _, g := range id.Groups {
		groups = append(groups, object{"name": g})
	}
	if groups != nil {
		u["groups"] = groups
	}
	return u
}

func actor(e export.Event) object {
	a := object{"user": user(e), "session": sessionOf(e)}
	if e.Open.Identity.Issuer != "" {
		a["idp"] = object{"name": e.Open.Identity.Issuer}
	}
	if e.Open.Session.Application != "" {
		a["app_name"] = e.Open.Session.Application
	}
	return a
}

func sessionOf(e export.Event) object {
	id := e.Open.Identity
	s := object{"uid": e.Session, "is_remote": true}
	put(s, "issuer", id.Issuer)
	put(s, "credential_uid", id.TokenID)
	if t := e.Open.Session.Started; !t.IsZero() {
		s["created_time"] = t.UnixMilli()
	}
	if !id.Expires.IsZero() {
		s["expiration_time"] = id.Expires.UnixMilli()
	}
	return s
}

func put(o object, key, value string) {
	if value != "" {
		o[key] = value
	}
}

// endpoint is host:port, or a name when it is none.
func endpoint(client string) object {
	host, port, err := net.SplitHostPort(client)
	if err != nil {
		host = client
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		if host == "" {
			host = "local"
		}
		return object{"name": host}
	}
	o := object{"ip": ip.Unmap().WithZone("").String()}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		o["port"] = n
	}
	return o
}

// session maps the beginning and the end of one.
func session(o object, e export.Event) {
	target := e.Open.Target.Name
	o["user"], o["session"], o["service"] = user(e), sessionOf(e), object{"name": target, "uid": target}
	o["dst_endpoint"] = object{"name": target}
	o["is_remote"], o["logon_type_id"], o["logon_type"] = true, 3, "Network"
	o["auth_protocol_id"], o["auth_protocol"] = other, e.Open.Identity.Method
	if e.Open.Identity.Method == "oidc" {
		o["auth_protocol_id"], o["auth_protocol"] = 4, "OpenID"
	}
	o["status_id"], o["status"] = statusSuccess, "Success"
	o["severity_id"], o["severity"] = severityInformational, "Informational"
	o["action_id"], o["action"], o["disposition_id"], o["disposition"] = actionAllowed, "Allowed", dispositionAllowed, "Allowed"
	if e.Kind == export.SessionOpened {
		class(o, Authentication, "Authentication", logon, "Logon")
		o["message"] = e.Open.Identity.Chain() + " opened a session on " + target
		decidedBy(o, e.Open.Decision.Rule, e.Open.Decision.Reason, e.Open.Decision.Revision)
		return
	}
	class(o, Authentication, "Authentication", logoff, "Logoff")
	o["message"] = "the session of " + e.Open.Identity.Chain() + " on " + target + " has ended"
	if c := e.Close; c != nil {
		put(o, "status_code", c.Reason)
		put(o, "status_detail", c.Message)
		un := o["unmapped"].(object)
		un["actions"], un["bytes"], un["duration_ms"] = c.Actions, c.Bytes, c.Duration.Milliseconds()
	}
	if e.Lost {
		o["severity_id"], o["severity"] = severityMedium, "Medium"
	}
}

func decidedBy(o object, rule, reason, revision string) {
	if rule == "" {
		return
	}
	p := object{"name": rule, "is_applied": true}
	put(p, "desc", reason)
	put(p, "version", revision)
	o["policy"] = p
}

func sql(e export.Event) bool {
	return e.Action != nil && (e.Action.Action.Kind == action.KindSQL || e.Action.Action.Kind == action.KindFunction)
}

// outcome maps verdict, hold and result of an action.
func outcome(o object, e export.Event) {
	o["severity_id"], o["severity"] = severityInformational, "Informational"
	o["action_id"], o["action"] = actionAllowed, "Allowed"
	o["disposition_id"], o["disposition"] = dispositionAllowed, "Allowed"
	held := e.Hold != nil || e.Verdict() == "hold"
	switch {
	case e.Allowed() && held:
		o["disposition_id"], o["disposition"] = dispositionApproved, "Approved"
		o["severity_id"], o["severity"] = severityLow, "Low"
	case !e.Allowed() && held:
		o["action_id"], o["action"], o["disposition_id"], o["disposition"] = actionDenied, "Denied", dispositionRejected, "Rejected"
		o["severity_id"], o["severity"] = severityMedium, "Medium"
	case !e.Allowed():
		o["action_id"], o["action"], o["disposition_id"], o["disposition"] = actionDenied, "Denied", dispositionBlocked, "Blocked"
		o["severity_id"], o["severity"] = severityMedium, "Medium"
	}
	o["is_alert"] = !e.Allowed()
	o["status_id"], o["status"] = statusUnknown, "Unknown"
	un := o["unmapped"].(object)
	if r := e.Result; r != nil {
		o["status_id"], o["status"] = statusFailure, "Failure"
		if r.Status == "ok" {
			o["status_id"], o["status"] = statusSuccess, "Success"
		}
		put(o, "status_code", r.Code)
		put(o, "status_detail", r.Message)
		un["result"], un["rows"], un["bytes"], un["masked"], un["duration_ms"] = r.Status, r.Rows, r.Bytes, r.Masked, float64(r.Duration)/float64(time.Millisecond)
	}
	if h := e.Hold; h != nil {
		un["hold"] = holdOf(h)
	}
	if a := e.Action; a != nil {
		decidedBy(o, a.Decision.Rule, a.Decision.Reason, a.Decision.Revision)
		un["verdict"], un["verbs"], un["tables"], un["kind"] = e.Verdict(), a.Action.Verbs, names(e), a.Action.Kind
		o["message"] = e.Open.Identity.Chain() + ": " + strings.Join(a.Action.Verbs, ", ") + " on " + e.Open.Target.Name + ": " + e.Verdict()
	}
}

func holdOf(h *hold.Hold) object {
	var by []object
	for _, d := range h.Decisions {
		by = append(by, object{"by": d.By.Chain(), "group": d.Group, "approve": d.Approve, "reason": d.Reason, "via": d.Via, "time": d.At.UnixMilli()})
	}
	return object{"id": h.ID, "state": string(h.State), "decisions": by}
}

// names are the objects that an action reads and writes, each once.
func names(e export.Event) []string {
	all := []string{}
	seen := map[string]bool{}
	for _, list := range [][]action.Object{e.Action.Action.Reads, e.Action.Action.Writes} {
		for _, o := range list {
			name := strings.TrimPrefix(o.Schema+"."+o.Name, ".")
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	return all
}
