// Package session is what every authorised session of a process shares, whatever
// carries its bytes: the Runtime, which opens sessions and knows the live ones, the
// record that each begins with, holds, time limits, cancel keys.
//
// It has two uses. A Span is a session that is not one connection: it moves no bytes, and
// says when they may move (HTTP, the bridge). A Core is for those who move the
// bytes of one connection on one worker and order them themselves (filters/session).
//
// It owns the calls to authz and the order of "recorded before it counts"
// (rule 2). It knows no protocol and no policy.
//
// A Runtime is shared by all sessions of the process and safe for concurrent use.
package session
