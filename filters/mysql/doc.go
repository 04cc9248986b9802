// Package mysql is the filter for MySQL and MariaDB: the wire protocol's state machine on both sides of one
// connection. It greets and authenticates the client by its token or certificate, logs in to the target, takes
// statements apart for policy, follows what the target answers, and masks what comes back.
//
// The protocol is half duplex: a client sends a command and waits for its answer. One that sends ahead is made to wait, so
// at most one command is under way, and what names mean is certain whenever one is judged.
//
// It does no I/O of its own: bytes come by OnData and leave through the session (filters/session), which records
// them first. Framing is in internal/mysqlwire, the login to the target in login, values of rows in rows, SQL in
// internal/sql/mysql. How a connection goes through its states is in conn.go.
package mysql
