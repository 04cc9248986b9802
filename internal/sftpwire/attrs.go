package sftpwire

import (
	"fmt"
	"strings"
)

// DescribeAttrs says which attributes a Setstat, Open or Mkdir sets (section 5), for people and for rules: "mode=4755 uid=0". "" when
// there are none; ok is false when they are cut off.
func DescribeAttrs(b []byte) (text string, ok bool) {
	d := decoder{b: b}
	var out []string
	flags := d.uint32()
	if flags&1 != 0 {
		out = append(out, fmt.Sprintf("size=%d", d.uint64()))
	}
	if flags&2 != 0 {
		out = append(out, fmt.Sprintf("uid=%d", d.uint32()), fmt.Sprintf("gid=%d", d.uint32()))
	}
	if flags&4 != 0 {
		out = append(out, fmt.Sprintf("mode=%04o", d.uint32()&0o7777))
	}
	if flags&8 != 0 {
		out = append(out, fmt.Sprintf("atime=%d", d.uint32()), fmt.Sprintf("mtime=%d", d.uint32()))
	}
	return strings.Join(out, " "), !d.bad
}
