// Package ssh serves targets of protocol ssh behind an Envoy listener: it ends the
// client's SSH connection, learns who it is, has authz open a session, and only then
// connects to the target, as the target's own login.
//
// Every channel goes through the one pipeline (internal/session): an operation is decoded
// into an action (internal/shell for commands, package sftp for files), judged, held where
// policy says so, recorded, and forwarded; what comes back is masked, recorded and delivered.
//
// It owns SSH's two sides and the order of things on a channel. What a command does
// belongs to internal/shell, how the record looks to internal/sshwire.
package ssh
