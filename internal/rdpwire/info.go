package rdpwire

import (
	"errors"
	"fmt"
)

// Flags of the basic security header (MS-RDPBCGR 2.2.8.1.1.2.1), which comes before Client Info and licensing PDUs.
const (
	secInfo    = 0x0040
	secLicense = 0x0080
)

// Flags of Client Info (2.2.1.11.1.1).
const (
	infoMouse         = 0x00000001
	infoNoCtrlAltDel  = 0x00000002
	infoAutoLogon     = 0x00000008
	infoUnicode       = 0x00000010
	infoMaximizeShell = 0x00000020
	infoLogonNotify   = 0x00000040
	infoWindowsKey    = 0x00000100
	infoLogonErrors   = 0x00010000
	infoMouseHasWheel = 0x00020000
	infoNoAudio       = 0x00080000
)

// maxInfoField bounds one text of Client Info. The specification says 512 bytes; FreeRDP sends passwords of any length, which is
// how a token of ordinary size comes.
const maxInfoField = 16 << 10

// Info is what the bridge takes of a Client Info PDU. It holds a secret.
type Info struct {
	Domain, User, Password string
	CodePage               uint32 // the keyboard layout, where flags say that texts are in UTF-16
	Performance            uint32
	TimeZone               []byte // TS_TIME_ZONE_INFORMATION, 172 bytes, or nil
}

const timeZoneLen = 172

// ParseInfo reads the data of a client's message on the I/O channel.
func ParseInfo(b []byte) (Info, error) {
	c := cursor{b: b}
	if flags := c.u16(); flags&secInfo == 0 || flags&0x0008 != 0 { // SEC_ENCRYPT: not within TLS
		return Info{}, errors.New("rdp: no Client Info PDU")
	}
	c.u16()
	var i Info
	i.CodePage = c.u32()
	if flags := c.u32(); flags&infoUnicode == 0 {
		return Info{}, errors.New("rdp: Client Info is not in Unicode")
	}
	var size [5]int // domain, user, password, shell, working folder; without the NUL that each has
	for n := range size {
		if size[n] = int(c.u16()); size[n] > maxInfoField {
			return Info{}, fmt.Errorf("rdp: a text of %d bytes in Client Info", size[n])
		}
	}
	text := func(n int) string { return Text(c.take(size[n] + 2)) }
	i.Domain, i.User, i.Password = text(0), text(1), text(2)
	text(3) // which program to start is not the client's to say
	text(4)
	if c.bad {
		return Info{}, c.err("rdp: Client Info")
	}
	c.u16() // address family
	c.take(int(c.u16()))
	c.take(int(c.u16()))
	if zone := c.take(timeZoneLen); zone != nil {
		i.TimeZone = zone
		c.u32() // session
		i.Performance = c.u32()
	}
	return i, nil // what follows is optional; the cookie of automatic reconnection is not taken
}

// Performance flags that leave out what costs bytes are the client's; font smoothing and composition are drawn as bitmaps anyway.
const perfMask = 0x000000ff

// AppendInfo appends the data that logs in to a target.
func AppendInfo(b []byte, i Info) []byte {
	b = put16(put16(b, secInfo), 0)
	b = put32(b, i.CodePage)
	b = put32(b, infoMouse|infoNoCtrlAltDel|infoAutoLogon|infoUnicode|infoMaximizeShell|infoLogonNotify|infoWindowsKey|
		infoLogonErrors|infoMouseHasWheel|infoNoAudio) // and no compression
	texts := []string{i.Domain, i.User, i.Password, "", ""}
	for _, t := range texts {
		b = put16(b, uint16(len(AppendText(nil, t))))
	}
	for _, t := range texts {
		b = append(AppendText(b, t), 0, 0)
	}
	b = put16(b, 2) // AF_INET
	for range 2 {   // the client's address and folder are not the target's business
		b = append(put16(b, 2), 0, 0)
	}
	zone := i.TimeZone
	if len(zone) != timeZoneLen {
		zone = make([]byte, timeZoneLen)
	}
	b = append(b, zone...)
	b = put32(put32(b, 0), i.Performance&perfMask)
	return put16(b, 0) // no cookie
}

// License messages (MS-RDPBCGR 2.2.1.12): the server says at once that no license is needed.
const (
	licenseError     = 0xff
	statusValid      = 7
	noTransition     = 2
	licenseVersion3  = 3
	licenseBlobError = 4
)

// AppendLicenseValid appends the data that ends licensing.
func AppendLicenseValid(b []byte) []byte {
	b = put16(put16(b, secLicense), 0)
	b = put16(append(b, licenseError, licenseVersion3), 16)
	return put16(put16(put32(put32(b, statusValid), noTransition), licenseBlobError), 0)
}

// IsLicense reports whether data on the I/O channel is about licensing, where it can come: before the first share PDU.
// A share control header there has its length in the place of these flags, and then its type.
func IsLicense(b []byte) bool {
	c := cursor{b: b}
	flags, hi := c.u16(), c.u16()
	share := int(flags) == len(b) && hi == shareVersion|ShareDemandActive
	return !c.bad && flags&secLicense != 0 && !share // flagsHi means nothing; xrdp has the message's length there
}

// ErrLicense says that a target asks for a client's license (MS-RDPELE).
var ErrLicense = errors.New("rdp: the target asks for a client license")

// AppendNoLicense appends the data that says that we have none. A server that can do without goes on.
func AppendNoLicense(b []byte) []byte {
	const noLicense, totalAbort = 2, 1
	b = put16(put16(b, secLicense), 0)
	b = put16(append(b, licenseError, licenseVersion3), 16)
	return put16(put16(put32(put32(b, noLicense), totalAbort), licenseBlobError), 0)
}

// ParseLicense says whether the target is content without a license; ErrLicense: it asks for one.
func ParseLicense(b []byte) error {
	c := cursor{b: b}
	c.u32()
	kind := c.u8()
	c.u8()
	c.u16()
	code := c.u32()
	switch {
	case c.bad:
		return c.err("rdp: licensing")
	case kind == licenseError && code == statusValid:
		return nil
	case kind == licenseError:
		return fmt.Errorf("rdp: the target's licensing fails with %d", code)
	}
	return fmt.Errorf("%w (message %d)", ErrLicense, kind)
}
