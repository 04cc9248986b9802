package ocsf

import (
	"slices"

	"dragoman.dev/dragoman/internal/export"
)

// activity is the activity of an action by one of its verbs.
type activity struct {
	verbs []string
	id    int
	name  string
}

// Of an action with several verbs the first line that has one of them holds: what changes more is named.
var (
	datastoreActivities = []activity{
		{[]string{"delete", "truncate", "drop"}, 7, "Delete"},
		{[]string{"update", "alter"}, 2, "Update"},
		{[]string{"merge"}, 5, "Write"},
		{[]string{"insert", "create"}, 6, "Create"},
		{[]string{"select"}, 4, "Query"},
	}
	apiActivities = []activity{
		{[]string{"delete", "remove", "drop"}, 4, "Delete"},
		{[]string{"update", "patch", "put", "write", "set"}, 3, "Update"},
		{[]string{"create", "post", "insert"}, 1, "Create"},
		{[]string{"get", "list", "read", "watch", "show", "actions", "frames", "replay", "export", "tail", "proof", "reads"}, 2, "Read"},
	}
)

func activityOf(verbs []string, table []activity) activity {
	for _, a := range table {
		if slices.ContainsFunc(a.verbs, func(v string) bool { return slices.Contains(verbs, v) }) {
			return a
		}
	}
	name := "Other"
	if len(verbs) > 0 {
		name = verbs[0]
	}
	return activity{id: other, name: name}
}

// statement maps SQL.
func statement(o object, e export.Event) {
	a := e.Action.Action
	act := activityOf(a.Verbs, datastoreActivities)
	if slices.Contains(a.Verbs, "copy") && act.id == other { // COPY names what it does by what it touches
		act = activity{id: 4, name: "Query"}
		if len(a.Writes) > 0 {
			act = activity{id: 5, name: "Write"}
		}
	}
	class(o, DatastoreActivity, "Datastore Activity", act.id, act.name)
	outcome(o, e)
	q := object{"query_string": a.Text, "uid": a.Fingerprint}
	if a.Fingerprint == "" {
		q["uid"] = e.ID
	}
	if e.Result != nil {
		q["bytes"] = e.Result.Bytes
	}
	o["query_info"] = q
	target := e.Open.Target.Name
	database := object{"uid": target, "name": target, "type_id": 1, "type": "Relational"}
	put(database, "name", e.Open.Session.Database)
	o["database"], o["type_id"], o["type"] = database, 1, "Database"
	o["dst_endpoint"] = object{"name": target, "svc_name": e.Open.Target.Protocol}
	if tables := names(e); len(tables) > 0 {
		o["table"] = object{"name": tables[0]}
	}
}

// call maps all other actions.
func call(o object, e export.Event) {
	operation, verbs := "unknown", []string(nil)
	if e.Action != nil {
		verbs = e.Action.Action.Verbs
		operation = e.Action.Action.Kind
		if len(verbs) > 0 {
			operation = verbs[0]
		}
	}
	act := activityOf(verbs, apiActivities)
	class(o, APIActivity, "API Activity", act.id, act.name)
	outcome(o, e)
	target := e.Open.Target.Name
	o["api"] = object{"operation": operation, "service": object{"name": target}}
	o["dst_endpoint"] = object{"name": target, "svc_name": e.Open.Target.Protocol}
	if e.Action == nil {
		return
	}
	o["unmapped"].(object)["text"] = e.Action.Action.Text
	var resources []object
	for _, n := range names(e) {
		resources = append(resources, object{"name": n})
	}
	if resources != nil {
		o["resources"] = resources
	}
}
