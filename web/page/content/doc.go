// Package content makes the bodies of recorded HTTP exchanges readable for people: JSON indented, events, gRPC messages and
// WebSocket frames one by one, what is binary in hexadecimal, with what was masked marked. What it
// gives is text in pieces (Span) that others escape; it writes no HTML, and never changes a value: literals of JSON stay as
// they were sent.
//
// It is told bytes and what the head says of them, does no I/O, and bounds what it decodes. What cannot be decoded is
// shown as it is.
package content
