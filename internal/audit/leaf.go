package audit

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dragoman.dev/dragoman/internal/record"
)

// leafMagic begins an entry of the log that says how far a record is. The entry is eight lines: this,
// the state, the session, the number of frames, the length of their stream, the chain hash of the last, the sealed
// file's hash ("-" while it runs), and the time in nanoseconds.
const leafMagic = "dragoman record leaf v1"

// LeafState is what an entry says of a session.
type LeafState string

const (
	LeafRunning LeafState = "running" // a checkpoint: the record begins with this
	LeafClosed  LeafState = "closed"  // the whole record
	LeafLost    LeafState = "lost"    // the whole record; its end was made by recovery
)

// Leaf is an entry of the transparency log about a session's record.
type Leaf struct {
	State   LeafState
	Session string
	Frames  uint64
	Bytes   uint64   // of the stream of these frames
	Hash    [32]byte // chain hash of the last of them
	// FileHash is the SHA-256 in the sealed file's footer; not for LeafRunning.
	FileHash [32]byte
	Time     time.Time
}

// Final reports whether the session has ended.
func (l Leaf) Final() bool { return l.State == LeafClosed || l.State == LeafLost }

// Encode gives the one encoding.
func (l Leaf) Encode() []byte {
	file := "-"
	if l.Final() {
		file = hex.EncodeToString(l.FileHash[:])
	}
	return fmt.Appendf(nil, "%s\n%s\n%s\n%d\n%d\n%s\n%s\n%d\n",
		leafMagic, l.State, l.Session, l.Frames, l.Bytes, hex.EncodeToString(l.Hash[:]), file, l.Time.UnixNano())
}

var errLeaf = errors.New("not an entry about a record")

// ParseLeaf reads an entry. It accepts the one encoding only.
func ParseLeaf(b []byte) (Leaf, error) {
	var l Leaf
	if len(b) > 1024 {
		return l, errLeaf
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) != 9 || !record.ValidSession(lines[2]) {
		return l, errLeaf
	}
	l.State, l.Session = LeafState(lines[1]), lines[2]
	if l.State != LeafRunning && !l.Final() {
		return l, errLeaf
	}
	var err [5]error
	var ns int64
	l.Frames, err[0] = strconv.ParseUint(lines[3], 10, 64)
	l.Bytes, err[1] = strconv.ParseUint(lines[4], 10, 64)
	err[2] = unhex(l.Hash[:], lines[5])
	if l.Final() {
		err[3] = unhex(l.FileHash[:], lines[6])
	}
	ns, err[4] = strconv.ParseInt(lines[7], 10, 64)
	l.Time = time.Unix(0, ns).UTC()
	if errors.Join(err[:]...) != nil || string(l.Encode()) != string(b) {
		return l, errLeaf
	}
	return l, nil
}

func unhex(dst []byte, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(dst) {
		return errLeaf
	}
	copy(dst, b)
	return nil
}
