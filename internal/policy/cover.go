package policy

import (
	"fmt"
	"slices"
	"strings"

	"dragoman.dev/dragoman/internal/action"
)

// uncovered names the first part of the action that no allow or hold covers. body says that the
// policy looks at bodies.
func uncovered(a *action.Action, all []candidate, body bool) *Decision {
	if len(all) == 0 {
		return refuse("no rule allows "+describe(a), "")
	}
	if d := uncoveredFeature(a, all, body); d != nil {
		return d
	}
	some := anyOf(all)
	verbs := verbsOf(a)
	if len(verbs) == 0 && !some(func(c *candidate) bool { return c.covers == nil || !c.covers.scoped }) {
		return refuse("no rule allows "+describe(a), "")
	}
	for _, v := range verbs {
		// A rule about certain tables does not speak for a change that names none.
		unscoped := isWriting(a, v) && len(a.Writes) == 0
		if !some(func(c *candidate) bool { return c.coversVerb(v, unscoped) }) {
			return refuse("no rule allows "+strings.ToUpper(v)+onWhat(a, v), "")
		}
	}
	return uncoveredObject(a, verbs, some)
}

func verbsOf(a *action.Action) []string {
	if a.Kind == action.KindConnect && !slices.Contains(a.Verbs, "connect") {
		return append([]string{"connect"}, a.Verbs...)
	}
	return a.Verbs
}

// anyOf tells whether one of the candidates is as asked.
func anyOf(all []candidate) func(func(*candidate) bool) bool {
	return func(ok func(*candidate) bool) bool {
		for i := range all {
			if ok(&all[i]) {
				return true
			}
		}
		return false
	}
}

// uncoveredObject goes through what is written, each with every verb that
// writes, since the action does not say which verb is about which table; then
// through what is read and called.
func uncoveredObject(a *action.Action, verbs []string, some func(func(*candidate) bool) bool) *Decision {
	for _, o := range a.Writes {
		for _, v := range verbs {
			if pairs(a, v) && !some(func(c *candidate) bool { return c.coversVerb(v, false) && c.coversWrite(o) }) {
				return refuse(fmt.Sprintf("no rule allows %s on %s", strings.ToUpper(v), objectName(o)), "")
			}
		}
		if !some(func(c *candidate) bool { return c.coversWrite(o) }) {
			return refuse("no rule allows writing "+objectName(o), "")
		}
	}
	for _, o := range a.Reads {
		if !some(func(c *candidate) bool { return c.coversRead(o) }) {
			return refuse("no rule allows reading "+objectName(o)+columnsOf(o), "")
		}
	}
	for _, f := range a.Functions {
		if !some(func(c *candidate) bool { return c.coversFunction(f) }) {
			return refuse("no rule allows the "+calledName(a, f), "")
		}
	}
	return nil
}

// calledName is what an action calls, in words.
func calledName(a *action.Action, f action.Function) string {
	switch a.Kind {
	case action.KindMCPTool:
		return "tool " + f.Schema + "." + f.Name
	case action.KindExec, action.KindShell:
		return "command " + f.Name
	}
	return "function " + f.Schema + "." + f.Name
}

func refuse(reason, hint string) *Decision {
	if hint == "" {
		hint = "do it another way, or ask whoever runs this gateway for a rule that allows it"
	}
	return &Decision{Rule: RuleDefault, Reason: reason, Hint: hint}
}

func describe(a *action.Action) string {
	if len(a.Verbs) == 0 {
		return "this " + a.Kind + " action"
	}
	return strings.ToUpper(strings.Join(a.Verbs, ", ")) + onWhat(a, a.Verbs[0])
}

func onWhat(a *action.Action, verb string) string {
	objects := a.Reads
	if isWriting(a, verb) {
		objects = a.Writes
	}
	if len(objects) == 0 {
		return ""
	}
	return " on " + objectName(objects[0])
}

func objectName(o action.Object) string {
	if o.Schema == "" {
		return o.Name
	}
	if strings.HasPrefix(o.Name, "/") { // a path of HTTP
		return o.Schema + o.Name
	}
	return o.Schema + "." + o.Name
}

func columnsOf(o action.Object) string {
	if len(o.Columns) == 0 {
		return ""
	}
	return " (" + strings.Join(o.Columns[:min(len(o.Columns), 8)], ", ") + ")"
}

// readingVerbs do not write, whatever else the statement does.
var readingVerbs = []string{
	"select", "explain", "show", "declare", "fetch", "move", "close", "prepare", "execute", "deallocate",
	"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "set", "reset", "discard",
	"connect", "values", "table",
}

// isWriting reports whether a verb is about the objects that the action writes.
func isWriting(a *action.Action, verb string) bool {
	if a.Kind != action.KindSQL {
		return false
	}
	if verb == "copy" {
		return a.Features[action.FeatureCopy] != "out"
	}
	return !slices.Contains(readingVerbs, verb)
}

// pairs reports whether each object that is written needs a rule for this verb.
func pairs(a *action.Action, verb string) bool {
	return a.Kind != action.KindSQL || isWriting(a, verb)
}

func (c *candidate) coversVerb(v string, unscoped bool) bool {
	if c.covers == nil {
		return true
	}
	return slices.Contains(c.covers.verbs, v) && !(unscoped && c.covers.scoped)
}

func (c *candidate) coversWrite(o action.Object) bool {
	return c.covers == nil || slices.Contains(c.covers.writes, [2]string{o.Schema, o.Name})
}

func (c *candidate) coversRead(o action.Object) bool {
	return c.covers == nil || slices.Contains(c.covers.reads, [2]string{o.Schema, o.Name})
}

func (c *candidate) coversFunction(f action.Function) bool {
	return c.covers == nil || slices.Contains(c.covers.functions, [2]string{f.Schema, f.Name})
}

// coversObjects reports whether the candidate alone covers all that is read and written.
func (c *candidate) coversObjects(a *action.Action) bool {
	return !slices.ContainsFunc(a.Reads, func(o action.Object) bool { return !c.coversRead(o) }) &&
		!slices.ContainsFunc(a.Writes, func(o action.Object) bool { return !c.coversWrite(o) })
}
