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
	lines, err := entryLines(b)
	if err != nil {
		return Leaf{}, err
	}
	l := Leaf{State: LeafState(lines[1])}
	if l.State != LeafRunning && !l.Final() {
		return l, errLeaf
	}
	about, err := parseAbout(lines[2:7], l.Final())
	l.Session, l.Frames, l.Bytes, l.Hash, l.FileHash = about.session, about.frames, about.bytes, about.hash, about.fileHash
	if err == nil {
		l.Time, err = parseNano(lines[7])
	}
	if err != nil || string(l.Encode()) != string(b) {
		return l, errLeaf
	}
	return l, nil
}

// maxEntry bounds an entry in bytes: eight lines, of which a session's id is the longest.
const maxEntry = 1024

// entryLines are the eight lines of an entry about a session, and what is behind the last.
func entryLines(b []byte) ([]string, error) {
	if len(b) > maxEntry {
		return nil, errLeaf
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) != 9 {
		return nil, errLeaf
	}
	return lines, nil
}

// about is what entries say of a record, in five lines.
type about struct {
	session        string
	frames, bytes  uint64
	hash, fileHash [32]byte
}

// parseAbout reads it; final: the file's hash is there, too.
func parseAbout(lines []string, final bool) (a about, err error) {
	var errs [4]error
	a.session = lines[0]
	a.frames, errs[0] = strconv.ParseUint(lines[1], 10, 64)
	a.bytes, errs[1] = strconv.ParseUint(lines[2], 10, 64)
	errs[2] = unhex(a.hash[:], lines[3])
	if final {
		errs[3] = unhex(a.fileHash[:], lines[4])
	}
	if errors.Join(errs[:]...) != nil || !record.ValidSession(a.session) {
		return a, errLeaf
	}
	return a, nil
}

func parseNano(line string) (time.Time, error) {
	ns, err := strconv.ParseInt(line, 10, 64)
	return time.Unix(0, ns).UTC(), err
}

func unhex(dst []byte, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(dst) {
		return errLeaf
	}
	copy(dst, b)
	return nil
}
