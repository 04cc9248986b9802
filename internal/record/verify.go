package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Report is what Verify found.
type Report struct {
	Session string `json:"session"`
	Frames  uint64 `json:"frames"` // good ones, from the start
	Bytes   uint64 `json:"bytes"`  // of their stream
	// Hash is the chain hash after the last good frame (hex); FileHash a sealed file's own.
	Hash     string `json:"hash"`
	FileHash string `json:"file_hash,omitempty"`
	Sealed   bool   `json:"sealed"`
	// Encrypted: the frames were not opened for want of the key, so Frames, Bytes and Hash
	// are what the footer says. The file's own hash covers them all the same.
	Encrypted bool `json:"encrypted,omitempty"`
	// Ended: the record has its Close frame. Lost: recovery made it.
	Ended bool `json:"ended"`
	Lost  bool `json:"lost"`
	// Problems say what is wrong; none means that the record is whole.
	Problems []Problem `json:"problems"`
}

// Problem is one thing that is wrong with a record.
type Problem struct {
	// Kind: "changed", "gap", "truncated", "trailing", "session", "format"; "key": a data key that cannot be opened.
	Kind string `json:"kind"`
	// Frame is the first frame that is not good; all before it are.
	Frame  uint64 `json:"frame"`
	Detail string `json:"detail"`
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Problems) == 0 }

func (r *Report) add(err error) {
	p := Problem{Kind: problemKind(err), Frame: r.Frames, Detail: err.Error()}
	r.Problems = append(r.Problems, p)
}

func problemKind(err error) string {
	for _, k := range []struct {
		err  error
		kind string
	}{{ErrGap, "gap"}, {ErrTruncated, "truncated"}, {ErrTrailing, "trailing"}, {ErrSession, "session"},
		{ErrVersion, "format"}, {ErrTooLarge, "changed"}} {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return "changed"
}

// Verify checks a sealed file, a segment or a session's folder from end to end. The
// error is for what cannot be read at all; what is wrong with the content is in the report.
//
// An encrypted file's frames are opened with its key, when keys is not nil and has it;
// otherwise what stands around them is checked, as Report.Encrypted says.
func Verify(path string, keys Keys) (Report, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Report{}, fmt.Errorf("record: %w", err)
	}
	rep := Report{Problems: []Problem{}}
	r, err := OpenPath(path)
	if err == nil {
		defer r.Close()
		if err = r.Decrypt(keys); err == nil || errors.Is(err, ErrEncrypted) {
			err = rep.read(r)
		}
	}
	var corrupt *CorruptError
	switch {
	case errors.As(err, &corrupt):
		rep.add(err)
	case err != nil:
		return rep, err
	}
	if info.IsDir() {
		return rep, nil
	}
	return rep, rep.file(path, info.Size())
}

// VerifyReader checks all frames that a reader gives, as Verify does those of a file.
func VerifyReader(r *Reader) (Report, error) {
	rep := Report{Problems: []Problem{}}
	err := rep.read(r)
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		rep.add(err)
		err = nil
	}
	return rep, err
}

// read goes over all frames.
func (rep *Report) read(r *Reader) error {
	rep.Session = r.Session()
	if p, ok := r.parts.(*sealedParts); ok && p.salt != nil && p.cipher == nil {
		rep.Encrypted, rep.Hash = true, hex.EncodeToString(p.foot.Hash[:])
		rep.Frames, rep.Bytes, rep.Ended, rep.Lost = p.foot.Frames, p.foot.Bytes, p.foot.Ended, p.foot.Lost
		return p.outline()
	}
	first := r.fr.pos.seq
	for {
		f, err := r.Next()
		h := r.Hash()
		rep.Hash, rep.Frames, rep.Bytes = hex.EncodeToString(h[:]), r.fr.pos.seq, r.fr.pos.offset
		rep.Ended, rep.Lost = r.Ended(), r.Ended() && r.last
		if err == io.EOF {
			if rep.Frames == first {
				return &CorruptError{Seq: first, Err: fmt.Errorf("no frames: %w", ErrTruncated)}
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := checkOpen(f, rep.Session); err != nil {
			rep.add(&CorruptError{Seq: f.Seq, Err: err})
		}
	}
}

// checkOpen checks that frame 0 is the Open of this session.
func checkOpen(f Frame, session string) error {
	if f.Seq != 0 {
		return nil
	}
	var open Open
	if f.Kind != KindOpen || json.Unmarshal(f.Payload, &open) != nil {
		return fmt.Errorf("does not begin with an open frame: %w", ErrChanged)
	}
	if open.Session.ID != session {
		return fmt.Errorf("the open frame is of session %q: %w", open.Session.ID, ErrSession)
	}
	return nil
}

// file checks what the frames do not cover: a sealed file's own hash and flags, and its end.
func (rep *Report) file(path string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	magic := make([]byte, len(sealMagic))
	if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != sealMagic {
		return nil
	}
	rep.Sealed = true
	foot := make([]byte, footLen)
	if size < footLen {
		return nil
	}
	if _, err := f.ReadAt(foot, size-footLen); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	ft, err := decodeFooter(foot)
	if err != nil {
		return rep.findEnd(f, size)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, size-hashLen)); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	got := sum.Sum(nil)
	rep.FileHash = hex.EncodeToString(got)
	switch {
	case !bytes.Equal(got, ft.FileHash[:]):
		if rep.OK() {
			rep.add(fmt.Errorf("the frames are good, but the file around them is not: %w", ErrChanged))
		}
	case rep.OK() && (ft.Ended != rep.Ended || ft.Lost != rep.Lost):
		rep.add(fmt.Errorf("the footer's flags do not match the frames: %w", ErrChanged))
	}
	return nil
}

// findEnd looks for the footer elsewhere: bytes may have been put behind it.
func (rep *Report) findEnd(f *os.File, size int64) error {
	const window = 1 << 20
	start := max(0, size-window)
	b := make([]byte, size-start)
	if _, err := f.ReadAt(b, start); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if i := bytes.LastIndex(b, []byte(footMagic)); i >= 0 && len(b)-i > footLen {
		rep.Problems = nil
		rep.add(fmt.Errorf("%d bytes after the footer: %w", len(b)-i-footLen, ErrTrailing))
	}
	return nil
}
