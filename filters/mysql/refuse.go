package mysql

import (
	"dragoman.dev/dragoman/filters/statement"
	"dragoman.dev/dragoman/internal/action"
	wire "dragoman.dev/dragoman/internal/mysqlwire"
	"dragoman.dev/dragoman/internal/notice"
)

// Error numbers that the gateway uses for what it says itself (the servers' error reference, ER_…).
const (
	errDiskFull      = 1021
	errHandshake     = 1043
	errAccess        = 1045
	errUnknownCom    = 1047
	errShutdown      = 1053
	errUnknownThread = 1094
	errUnknown       = 1105
	errTooLarge      = 1153
	errSpecific      = 1227 // access denied; you need …
	errUnknownStmt   = 1243
	errInterrupted   = 1317
	errTooMany       = 1461
	errTableAccess   = 1142
)

// SQLSTATEs.
const (
	stateAccess     = "42000"
	stateRejected   = "28000"
	stateConnection = "08S01"
	stateCancelled  = "70100"
)

// broken is the error of a connection that cannot go on.
func broken(message string) *wire.Error {
	return &wire.Error{Number: errUnknown, State: stateConnection, Message: message}
}

// denied is the error for an action that is refused: what, why, and what to do.
func denied(what, because, hint string) *wire.Error {
	e := &wire.Error{Number: errTableAccess, State: stateAccess, Message: what + " (" + because + ")"}
	if hint != "" {
		e.Message += " Hint: " + hint
	}
	return e
}

// maxMessage is how much of a message libmysqlclient keeps (MYSQL_ERRMSG_SIZE, with its end).
const maxMessage = 511

// noted adds to an error what it is, for programs, where that fits into what clients keep.
func noted(e *wire.Error, n notice.Notice) *wire.Error {
	if line := n.Within(maxMessage - len(e.Message) - 1); line != "" {
		e.Message += " " + line
	}
	return e
}

// blocked is the error for an action that policy refuses.
func blocked(j *judged) *wire.Error {
	because := statement.Because(&j.d)
	if j.action.Has(action.FeatureUnparsed) {
		because += " The statement cannot be parsed, so nothing is known about it."
	}
	return noted(denied(statement.What(&j.st.Action)+" is refused by policy", because, statement.Hint(&j.d)), notice.Of(notice.Blocked, &j.d, "", ""))
}
