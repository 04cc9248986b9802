// Package wire frames PostgreSQL's protocol (versions 3.0 and 3.2): a byte
// stream into messages without copying where it can be helped, the fields that
// a gateway must see, and the few messages that it says itself.
//
// It does no I/O, keeps no protocol state and decides nothing. Every length is
// bounded by a table (Frontend, Backend): a message type that is not in the table, or
// longer than the table allows, is an error of kind *FramingError.
package wire
