// Package session is the protocol-neutral pipeline of one connection:
// authenticate, decode, judge, (hold), record, forward, mask, record, deliver.
// Protocol filters decode and mask; everything else is here, once.
//
// It owns the order of things (rule 2): what a filter gives to Request or
// Respond leaves in that order, and only after its frame is as safe as the
// target's durability says. It owns the calls to authz, the registry of live
// sessions, cancel keys and time limits. It knows no protocol.
//
// A Session belongs to its connection's worker, like the filter that uses it; a
// Runtime is shared by all connections of the process and safe for concurrent
// use.
package session
