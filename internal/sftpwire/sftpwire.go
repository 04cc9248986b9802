// Package sftpwire decodes packets of the SSH file transfer protocol, version 3
// (draft-ietf-secsh-filexfer-02), as far as its operations need to be judged, recorded and
// shown. It does no I/O.
package sftpwire

import (
	"encoding/binary"
	"errors"
)

// Version is the one version that is spoken; OpenSSH knows no other.
const Version = 3

// MaxPacket bounds a packet, its length apart: what OpenSSH takes at most.
const MaxPacket = 256 << 10

// Types of packets (section 3).
const (
	Init     = 1
	VersionP = 2
	Open     = 3
	Close    = 4
	Read     = 5
	Write    = 6
	Lstat    = 7
	Fstat    = 8
	Setstat  = 9
	Fsetstat = 10
	Opendir  = 11
	Readdir  = 12
	Remove   = 13
	Mkdir    = 14
	Rmdir    = 15
	Realpath = 16
	Stat     = 17
	Rename   = 18
	Readlink = 19
	Symlink  = 20
	Extended = 200

	Status        = 101
	Handle        = 102
	Data          = 103
	Name          = 104
	Attrs         = 105
	ExtendedReply = 201
)

// Flags of Open (section 6.3).
const (
	FlagRead   = 0x01
	FlagWrite  = 0x02
	FlagAppend = 0x04
	FlagCreate = 0x08
	FlagTrunc  = 0x10
	FlagExcl   = 0x20
)

// Codes of Status (section 7).
const (
	OK               = 0
	EOF              = 1
	NoSuchFile       = 2
	PermissionDenied = 3
	Failure          = 4
	BadMessage       = 5
	Unsupported      = 8
)

// Extensions that are understood (OpenSSH's PROTOCOL, section 4). Those with one path, with two, and with a handle.
const (
	ExtPosixRename = "posix-rename@openssh.com"
	ExtHardlink    = "hardlink@openssh.com"
	ExtStatvfs     = "statvfs@openssh.com"
	ExtFstatvfs    = "fstatvfs@openssh.com"
	ExtFsync       = "fsync@openssh.com"
	ExtLsetstat    = "lsetstat@openssh.com"
	ExtLimits      = "limits@openssh.com"
)

// Known reports whether an extension is understood.
func Known(ext string) bool {
	switch ext {
	case ExtPosixRename, ExtHardlink, ExtStatvfs, ExtFstatvfs, ExtFsync, ExtLsetstat, ExtLimits:
		return true
	}
	return false
}

// ErrMalformed says that bytes are no packet.
var ErrMalformed = errors.New("sftp: malformed packet")

// Packet is one packet, its length apart: byte type, then uint32 id (but for Init and VersionP), then the rest.
type Packet []byte

// headLen is the length of what a request and a response begin with.
const headLen = 5

// Type is the packet's type; a Packet is never empty.
func (p Packet) Type() byte { return p[0] }

// ID is the request's number.
func (p Packet) ID() uint32 {
	if len(p) < 5 {
		return 0
	}
	return binary.BigEndian.Uint32(p[1:])
}
