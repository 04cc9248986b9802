// Package mysqlwire is the MySQL client/server protocol as bytes: packets, the handshake, answers, rows in
// both formats, parameters. It decodes only what a verdict or a mask needs, does no I/O and holds no
// policy. Layouts are those of the protocol documentation of MySQL and MariaDB.
//
// What a decoder returns points into the bytes that it was given, unless it says otherwise.
package mysqlwire
