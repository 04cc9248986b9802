// Package postgres is the PostgreSQL filter: the wire protocol's state machine
// on both sides of one connection. It authenticates the client by its token or
// certificate, logs in to the target, takes statements apart for policy, keeps
// account of what the target will answer, and masks what comes back.
//
// It does no I/O of its own: bytes come by OnData and leave through the
// session (filters/session), which records them first. Framing is in wire, the
// login to the target in login, values of rows in rows, SQL in internal/sql/pgsql.
//
// How a connection goes through its states is in conn.go; the account of
// expected answers, on which everything after the login rests, in queue.go.
package postgres
