// Package rdp serves targets of protocol rdp behind an Envoy listener: it ends the client's RDP connection, takes a
// token from where the password stands, has authz open a session, and only then connects to the target and logs
// in there with the target's credentials, by network level authentication where the target has it.
//
// Between the two it passes on what it understands and nothing else: input events, bitmap and pointer updates, the
// clipboard where that is allowed. Capabilities are negotiated down to that on both sides. Every picture is decoded before
// it is delivered, so that what the client sees is what the record can show.
//
// It owns the two connections and the order of things on them. The messages belong to internal/rdpwire, pictures
// to internal/rdpscreen, the login at the target to internal/credssp, judging and recording to internal/session.
package rdp
