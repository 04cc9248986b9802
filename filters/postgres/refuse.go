package postgres

import (
	"fmt"
	"strings"

	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/internal/policy"
)

// SQLSTATEs that the gateway uses for what it says itself (PostgreSQL manual, appendix A).
const (
	codeOK                = "00000"
	codeConnectionFailure = "08006"
	codeCannotConnect     = "08001"
	codeProtocol          = "08P01"
	codeRejected          = "28000" // invalid_authorization_specification
	codePassword          = "28P01" // invalid_password
	codeNoStatement       = "26000"
	codeNoPortal          = "34000"
	codePrivilege         = "42501"
	codeTooComplex        = "54000"
	codeTooMany           = "53400" // configuration_limit_exceeded
	codeDiskFull          = "53100"
	codeAdminShutdown     = "57P01"
	codeCannotStart       = "57P03"
	codeCancelled         = "57014"
	codeAuthTimeout       = "57P05" // idle/authentication time-outs end a connection
	codeIOError           = "58030"
)

func fatal(code, message, detail, hint string) wire.Report {
	return wire.Report{Severity: "FATAL", Code: code, Message: message, Detail: detail, Hint: hint}
}

func refusal(code, message, detail, hint string) wire.Report {
	return wire.Report{Severity: "ERROR", Code: code, Message: message, Detail: detail, Hint: hint}
}

// blocked is the error for an action that policy refuses.
func blocked(what string, d *policy.Decision) wire.Report {
	return refusal(codePrivilege, what+" is refused by policy", because(d), hint(d))
}

func hint(d *policy.Decision) string {
	if d.Hint != "" {
		return d.Hint
	}
	return "Change the statement, or ask whoever owns the policy of this target to allow it."
}

// because is the DETAIL of a refusal or hold: the rule and its reason.
func because(d *policy.Decision) string {
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

// what names an action in a message: its verbs and the object it is about.
func what(j *judged) string {
	verbs := "statement"
	if v := j.st.Action.Verbs; len(v) > 0 {
		verbs = strings.ToUpper(strings.Join(v, "/"))
	}
	object := ""
	for _, list := range [][]objectName{names(j.st.Action.Writes), names(j.st.Action.Reads)} {
		if len(list) > 0 {
			object = " on " + string(list[0])
			if len(list) > 1 {
				object = fmt.Sprintf("%s and %d more", object, len(list)-1)
			}
			break
		}
	}
	return verbs + object
}
