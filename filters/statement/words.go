package statement

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"dragoman.dev/dragoman/internal/action"
	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/policy"
)

// Hint tells the agent what to do about a decision.
func Hint(d *policy.Decision) string {
	if d.Hint != "" {
		return d.Hint
	}
	return "Change the statement, or ask whoever owns the policy of this target to allow it."
}

// OnceOnly takes from a decision that a shape may be approved, for a message that is more than its one statement.
func OnceOnly(d policy.Decision, more bool) policy.Decision {
	if more {
		d.ShapeFor, d.ShapePool = 0, false
	}
	return d
}

// Because says why: the decision: the rule and its reason.
func Because(d *policy.Decision) string {
	var parts []string
	if d.Rule != "" {
		parts = append(parts, "rule: "+d.Rule+".")
	}
	if d.Reason != "" {
		parts = append(parts, d.Reason)
	}
	if len(parts) == 0 {
		return "rule: none. No rule allows it."
	}
	return strings.Join(parts, " ")
}

// What names an action in a message: its verbs and the object it is about.
func What(a *action.Action) string {
	verbs := "statement"
	if len(a.Verbs) > 0 {
		verbs = strings.ToUpper(strings.Join(a.Verbs, "/"))
	}
	object := ""
	for _, list := range [][]action.Object{a.Writes, a.Reads} {
		if len(list) > 0 {
			object = " on " + strings.TrimPrefix(list[0].Schema+"."+list[0].Name, ".")
			if len(list) > 1 {
				object = fmt.Sprintf("%s and %d more", object, len(list)-1)
			}
			break
		}
	}
	return verbs + object
}

// OrElse is s, or otherwise when that is "".
func OrElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// Denials says who denied and why.
func Denials(list []hold.Decision) string {
	for _, d := range list {
		if !d.Approve {
			return fmt.Sprintf("%s denied it: %s.", d.By.Chain(), d.Reason)
		}
	}
	return "It was denied."
}

// Comment is what is put before a statement, for the target's own log. The blank before its end keeps a chain that ends
// with a slash from opening a comment.
func Comment(session, chain string) string {
	return "/*dragoman " + commentText(session) + " " + commentText(chain) + " */ "
}

// commentText keeps text from ending or nesting a comment, and one byte a character, so that
// error positions can be corrected.
func commentText(s string) string {
	b := []byte(s)
	for i, ch := range b {
		if ch < ' ' || ch > '~' || ch == '*' {
			b[i] = '_'
		}
	}
	return string(b)
}

// ApplicationName is what the target's log and pg_stat_activity show: the
// identity chain, and what the client calls itself, within the server's limit
// (NAMEDATALEN-1).
func ApplicationName(chain, own string) string {
	name := chain
	if own != "" {
		name += " " + own
	}
	for len(name) > 63 {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	return name
}
