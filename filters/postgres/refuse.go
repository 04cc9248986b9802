package postgres

import (
	"dragoman.dev/dragoman/filters/postgres/wire"
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/notice"
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

// noted adds to an error what it is, for programs: the last line of its detail.
func noted(r wire.Report, n notice.Notice) wire.Report {
	if r.Detail != "" {
		r.Detail += "\n"
	}
	r.Detail += n.Line()
	return r
}

// blocked is the error for an action that policy refuses.
func blocked(what string, d *policy.Decision) wire.Report {
	return noted(refusal(codePrivilege, what+" is refused by policy", statement.Because(d), statement.Hint(d)), notice.Of(notice.Blocked, d, "", ""))
}

// what names an action in a message.
func what(j *judged) string { return statement.What(&j.st.Action) }
