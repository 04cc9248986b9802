package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/record"
	"dragoman.dev/dragoman/internal/translog"
)

// rawFrame is a frame's header and payload, without its hash.
type rawFrame struct{ head, payload []byte }

// readRaw takes a record apart.
func readRaw(t testing.TB, path string) (frames []rawFrame) {
	r, err := record.OpenPath(path)
	must(t, err)
	defer r.Close()
	for {
		f, err := r.Next()
		if err != nil {
			return frames
		}
		h := binary.BigEndian.AppendUint32(nil, uint32(len(f.Payload)))
		flags := byte(0)
		if f.Recovered {
			flags = 1
		}
		h = append(h, byte(f.Kind), flags, 0, 0)
		h = binary.BigEndian.AppendUint64(h, f.Seq)
		h = binary.BigEndian.AppendUint64(h, uint64(f.Time.UnixNano()))
		h = binary.BigEndian.AppendUint64(h, f.Action)
		frames = append(frames, rawFrame{h, bytes.Clone(f.Payload)})
	}
}

// chain puts frames together with new sequence numbers, lengths and hashes: whoever can write the files can do so.
func chain(id string, frames []rawFrame) (all []byte) {
	root := binary.BigEndian.AppendUint16(append([]byte("drgses1\x00"), 0, 1), uint16(len(id)))
	prev := sha256.Sum256(append(root, id...))
	last := uint64(0)
	for i, f := range frames {
		h := bytes.Clone(f.head)
		binary.BigEndian.PutUint32(h, uint32(len(f.payload)))
		binary.BigEndian.PutUint64(h[8:], uint64(i))
		last = max(last, binary.BigEndian.Uint64(h[16:]))
		binary.BigEndian.PutUint64(h[16:], last)
		prev = sha256.Sum256(slices.Concat([]byte("drgfrm1\x00"), prev[:], h, f.payload))
		all = slices.Concat(all, h, f.payload, prev[:])
	}
	return all
}

// forge replaces a sealed record by a whole, valid one with other frames.
func forge(t testing.TB, path string, change func([]rawFrame) []rawFrame) {
	id := strings.TrimSuffix(filepath.Base(path), record.SealedExt)
	forgeAs(t, path, id, change(readRaw(t, path)))
}

func forgeAs(t testing.TB, path, id string, frames []rawFrame) {
	_, err := record.SealFile(path, id, bytes.NewReader(chain(id, frames)))
	must(t, err)
}

// forgeLive does the same to a running one.
func forgeLive(t testing.TB, path string, change func([]rawFrame) []rawFrame) {
	id := strings.TrimSuffix(filepath.Base(path), liveExt)
	writeFile(t, path, append(record.StreamHeader(id), chain(id, change(readRaw(t, path)))...))
}

type crafted struct {
	name string
	do   func(t testing.TB, x *exhibit)
	want string // in what is said
	kept bool   // found with a kept checkpoint only
}

// frameCrafts change frames and make the chain right again.
func frameCrafts() []crafted {
	on := func(f func([]rawFrame) []rawFrame) func(testing.TB, *exhibit) {
		return func(t testing.TB, x *exhibit) { forge(t, x.sealed[1], f) }
	}
	payload := func(i int, old, new string) func([]rawFrame) []rawFrame {
		return func(fs []rawFrame) []rawFrame {
			fs[i].payload = bytes.Replace(fs[i].payload, []byte(old), []byte(new), 1)
			return fs
		}
	}
	head := func(at int, b byte) func([]rawFrame) []rawFrame {
		return func(fs []rawFrame) []rawFrame { fs[3].head[at] ^= b; return fs }
	}
	return []crafted{
		{"the first action removed", on(func(fs []rawFrame) []rawFrame { return slices.Delete(fs, 1, 4) }), "truncated or changed", false},
		{"one frame removed", on(func(fs []rawFrame) []rawFrame { return slices.Delete(fs, 7, 8) }), "truncated or changed", false},
		{"the frame before the end removed", on(func(fs []rawFrame) []rawFrame { return slices.Delete(fs, len(fs)-2, len(fs)-1) }), "truncated or changed", false},
		{"the end removed", on(func(fs []rawFrame) []rawFrame { return fs[:len(fs)-1] }), "truncated or changed", false},
		{"all but beginning and end removed", on(func(fs []rawFrame) []rawFrame { return slices.Delete(fs, 1, len(fs)-1) }), "truncated or changed", false},
		{"cut, with another end", on(func(fs []rawFrame) []rawFrame { return append(fs[:5:5], fs[len(fs)-1]) }), "truncated or changed", false},
		{"two frames swapped", on(func(fs []rawFrame) []rawFrame { fs[4], fs[7] = fs[7], fs[4]; return fs }), "replaced", false},
		{"a frame repeated", on(func(fs []rawFrame) []rawFrame { return slices.Insert(fs, 6, fs[5]) }), "added", false},
		{"a frame made up", on(func(fs []rawFrame) []rawFrame {
			return slices.Insert(fs, 6, rawFrame{fs[5].head, []byte(`{"what":"made up"}`)})
		}), "added", false},
		{"a statement changed", on(payload(1, "select 1", "select 2")), "replaced", false},
		{"a verdict changed", on(payload(7, `"block"`, `"allow"`)), "replaced", false},
		{"the identity changed", on(payload(0, "agent:a", "agent:b")), "replaced", false},
		{"a response changed", on(func(fs []rawFrame) []rawFrame { fs[2].payload[0] ^= 1; return fs }), "replaced", false},
		{"a response emptied", on(func(fs []rawFrame) []rawFrame { fs[2].payload = nil; return fs }), "replaced", false},
		{"a time changed", on(head(23, 1)), "replaced", false},
		{"a kind changed", on(head(4, 0x40)), "replaced", false},
		{"an action's number changed", on(head(31, 4)), "replaced", false},
		{"made to look recovered", on(func(fs []rawFrame) []rawFrame { fs[len(fs)-1].head[5] = 1; return fs }), "replaced", false},
		{"another session's tail", func(t testing.TB, x *exhibit) {
			tail := readRaw(t, x.sealed[2])
			forge(t, x.sealed[1], func(fs []rawFrame) []rawFrame { return append(fs[:6:6], tail[6:]...) })
		}, "added", false},
		{"another session's beginning", func(t testing.TB, x *exhibit) {
			head := readRaw(t, x.sealed[2])
			forge(t, x.sealed[1], func(fs []rawFrame) []rawFrame { return append(head[:6:6], fs[6:]...) })
		}, "session", false},
		{"another session's frames", func(t testing.TB, x *exhibit) {
			fs := readRaw(t, x.sealed[0])
			fs[0].payload = bytes.Replace(fs[0].payload, []byte("ses_a0"), []byte("ses_a1"), 1)
			forgeAs(t, x.sealed[1], "ses_a1", fs)
		}, "truncated or changed", false},
		{"an end that was lost made orderly", func(t testing.TB, x *exhibit) {
			forge(t, x.path("ses_lost.drs"), func(fs []rawFrame) []rawFrame {
				var c record.Close
				must(t, json.Unmarshal(fs[len(fs)-1].payload, &c))
				c.Reason = "client"
				fs[len(fs)-1].payload, _ = json.Marshal(c)
				fs[len(fs)-1].head[5] = 0
				return fs
			})
		}, "replaced", false},
	}
}

// liveCrafts change running sessions below what the log has of them.
func liveCrafts() []crafted {
	on := func(f func([]rawFrame) []rawFrame) func(testing.TB, *exhibit) {
		return func(t testing.TB, x *exhibit) { forgeLive(t, x.path("ses_run.live"), f) }
	}
	return []crafted{
		{"running: a frame removed", on(func(fs []rawFrame) []rawFrame { return slices.Delete(fs, 4, 5) }), "truncated or changed", false},
		{"running: the last frame removed", on(func(fs []rawFrame) []rawFrame { return fs[:len(fs)-1] }), "truncated or changed", false},
		{"running: two frames swapped", on(func(fs []rawFrame) []rawFrame { fs[4], fs[7] = fs[7], fs[4]; return fs }), "replaced", false},
		{"running: a payload changed", on(func(fs []rawFrame) []rawFrame { fs[2].payload[0] ^= 1; return fs }), "replaced", false},
		{"running: an end made up", on(func(fs []rawFrame) []rawFrame {
			end := rawFrame{bytes.Clone(fs[3].head), []byte(`{"reason":"client"}`)}
			end.head[4] = byte(record.KindClose)
			return append(fs[:4:4], end)
		}), "truncated or changed", false},
		{"running: cut inside a frame", func(t testing.TB, x *exhibit) {
			p := x.path("ses_run.live")
			writeFile(t, p, readFile(t, p)[:900])
		}, "truncated or changed", false},
		{"running: emptied", func(t testing.TB, x *exhibit) { writeFile(t, x.path("ses_run.live"), nil) }, "truncated", false},
		{"running: removed", func(t testing.TB, x *exhibit) { must(t, os.Remove(x.path("ses_run.live"))) }, "missing", false},
		{"running: sealed by a stranger", func(t testing.TB, x *exhibit) {
			p := x.path("ses_run.live")
			forgeAs(t, strings.TrimSuffix(p, liveExt)+record.SealedExt, "ses_run", readRaw(t, p))
			must(t, os.Remove(p))
		}, "added", false},
		{"running: another's name", func(t testing.TB, x *exhibit) { must(t, os.Rename(x.path("ses_long.live"), x.path("ses_run.live"))) }, "session", false},
	}
}

// fileCrafts change which files there are, and what is around the frames.
func fileCrafts() []crafted {
	return []crafted{
		{"a session removed", func(t testing.TB, x *exhibit) { must(t, os.Remove(x.sealed[0])) }, "missing", false},
		{"two sessions swapped", func(t testing.TB, x *exhibit) {
			a, b := readFile(t, x.sealed[0]), readFile(t, x.sealed[1])
			writeFile(t, x.sealed[0], b)
			writeFile(t, x.sealed[1], a)
		}, "session", false},
		{"a session under another id", func(t testing.TB, x *exhibit) {
			writeFile(t, strings.Replace(x.sealed[0], "ses_a0", "ses_zz", 1), readFile(t, x.sealed[0]))
		}, "wrong session", false},
		{"a session made up", func(t testing.TB, x *exhibit) {
			fs := readRaw(t, x.sealed[0])
			fs[0].payload = bytes.Replace(fs[0].payload, []byte("ses_a0"), []byte("ses_zz"), 1)
			forgeAs(t, strings.Replace(x.sealed[0], "ses_a0", "ses_zz", 1), "ses_zz", fs)
		}, "added", false},
		{"a session twice", func(t testing.TB, x *exhibit) {
			writeFile(t, filepath.Join(x.dir, "sessions", "2001", "01", "01", filepath.Base(x.sealed[0])), readFile(t, x.sealed[0]))
		}, "twice", false},
		{"a session made to run again", func(t testing.TB, x *exhibit) {
			fs := readRaw(t, x.sealed[0])
			must(t, os.Remove(x.sealed[0]))
			writeFile(t, strings.TrimSuffix(x.sealed[0], record.SealedExt)+liveExt, append(record.StreamHeader("ses_a0"), chain("ses_a0", fs)...))
		}, "missing", false},
		{"the same frames in another file", func(t testing.TB, x *exhibit) {
			b := readFile(t, x.sealed[0])
			b[len(b)-104+15] = 0 // as it is
			b[115] ^= 1
			sum := sha256.Sum256(b[:len(b)-32])
			writeFile(t, x.sealed[0], append(b[:len(b)-32], sum[:]...))
		}, "ses_a0", false},
		{"bytes behind the footer", func(t testing.TB, x *exhibit) {
			writeFile(t, x.sealed[0], append(readFile(t, x.sealed[0]), "more"...))
		}, "after the footer", false},
		{"a header alone", func(t testing.TB, x *exhibit) { writeFile(t, x.sealed[0], readFile(t, x.sealed[0])[:112]) }, "truncated", false},
		{"an empty file", func(t testing.TB, x *exhibit) { writeFile(t, x.sealed[0], nil) }, "truncated", false},
	}
}

func (x *exhibit) path(name string) string {
	for _, p := range append(slices.Clone(x.sealed), x.live...) {
		if filepath.Base(p) == name {
			return p
		}
	}
	return name
}

// logCrafts change the log, with all that can be done without its key, and then with it.
func logCrafts() []crafted {
	const origin = "log.example.com/audit"
	log := func(x *exhibit) string { return filepath.Join(x.dir, logDir) }
	cp := func(x *exhibit) string { return filepath.Join(log(x), "checkpoint") }
	text := func(old, new string) func(testing.TB, *exhibit) {
		return func(t testing.TB, x *exhibit) {
			writeFile(t, cp(x), bytes.Replace(readFile(t, cp(x)), []byte(old), []byte(new), 1))
		}
	}
	entries := func(who string, change func(x *exhibit, all [][]byte) [][]byte) func(testing.TB, *exhibit) {
		return func(t testing.TB, x *exhibit) {
			forgeLog(t, log(x), change(x, x.entries(t)), origin, map[string]ed25519Key{"stranger": seedKey("stranger"), "old": x.keyA, "new": x.keyB}[who])
		}
	}
	isKey := func(e []byte) bool { return translog.IsKeyChange(e) }
	without := func(session string) func(*exhibit, [][]byte) [][]byte {
		return func(_ *exhibit, all [][]byte) [][]byte {
			return slices.DeleteFunc(all, func(e []byte) bool { return bytes.Contains(e, []byte(session+"\n")) })
		}
	}
	return []crafted{
		{"no log", func(t testing.TB, x *exhibit) { must(t, os.RemoveAll(log(x))) }, "there is no checkpoint", false},
		{"no checkpoint", func(t testing.TB, x *exhibit) { must(t, os.Remove(cp(x))) }, "there is no checkpoint", false},
		{"no entries", func(t testing.TB, x *exhibit) { must(t, os.RemoveAll(filepath.Join(log(x), "tile", "entries"))) }, "entries from 0", false},
		{"no tiles", func(t testing.TB, x *exhibit) { must(t, os.RemoveAll(filepath.Join(log(x), "tile", "0"))) }, "tile/0/000", false},
		{"another origin", text("log.example.com", "log.example.net"), "signature", false},
		{"another size", text("280\n", "279\n"), "entries", false},
		{"a signature twice", func(t testing.TB, x *exhibit) {
			b := readFile(t, cp(x))
			writeFile(t, cp(x), append(b, b[bytes.Index(b, []byte("— ")):]...))
		}, "twice", false},
		{"a signature in another encoding", func(t testing.TB, x *exhibit) {
			b := readFile(t, cp(x))
			b[len(b)-3]++ // bits that are not part of the signature
			writeFile(t, cp(x), b)
		}, "malformed", false},
		{"a stranger's signature", entries("stranger", func(_ *exhibit, all [][]byte) [][]byte { return all }), "signature", false},
		{"the last entry removed, signed by a stranger", entries("stranger", func(_ *exhibit, all [][]byte) [][]byte { return all[:len(all)-1] }), "signature", false},
		{"a session removed from log and files, signed by a stranger", func(t testing.TB, x *exhibit) {
			entries("stranger", without("ses_b0"))(t, x)
			must(t, os.Remove(x.path("ses_b0.drs")))
		}, "signature", false},
		{"the same, with the checkpoint that was there", func(t testing.TB, x *exhibit) {
			b := readFile(t, cp(x))
			entries("stranger", func(x *exhibit, all [][]byte) [][]byte { all[5], all[6] = all[6], all[5]; return all })(t, x)
			writeFile(t, cp(x), b)
		}, "root", false},
		{"a session removed, signed by the old key after it was replaced", func(t testing.TB, x *exhibit) {
			entries("old", without("ses_b0"))(t, x)
			must(t, os.Remove(x.path("ses_b0.drs")))
		}, "signature", false},
		{"the change of keys removed, signed by the new key", entries("new", func(_ *exhibit, all [][]byte) [][]byte { return slices.DeleteFunc(all, isKey) }), "", true},
		{"the change of keys to a stranger's key", entries("stranger", func(x *exhibit, all [][]byte) [][]byte {
			i := slices.IndexFunc(all, isKey)
			all[i] = bytes.Replace(all[i], []byte(b64(pubOf(x.keyB))), []byte(b64(pubOf(seedKey("stranger")))), 1)
			return all
		}), "key", false},
		{"rolled back, log and files", func(t testing.TB, x *exhibit) {
			must(t, os.RemoveAll(x.dir))
			must(t, os.CopyFS(x.dir, os.DirFS(x.early)))
		}, "rolled back", true},
		{"forked by whoever has the key", entries("new", func(_ *exhibit, all [][]byte) [][]byte {
			l, _ := ParseLeaf(all[2])
			l.Time = l.Time.Add(1)
			all[2] = l.Encode()
			return all
		}), "forked", true},
		{"an entry of no known kind, by whoever has the key", entries("new", func(_ *exhibit, all [][]byte) [][]byte { return append(all, []byte("hello\n")) }), "not an entry", false},
		{"two ends, by whoever has the key", entries("new", func(_ *exhibit, all [][]byte) [][]byte {
			i := slices.IndexFunc(all, func(e []byte) bool { return bytes.Contains(e, []byte("closed\nses_b0")) })
			l, _ := ParseLeaf(all[i])
			l.Frames--
			return append(all, l.Encode())
		}), "two ends", false},
	}
}

// TestCraftedMutations: what somebody can do who knows the formats, can write all files, and has not the key; and
// what a kept checkpoint finds even when they have it.
func TestCraftedMutations(t *testing.T) {
	x := newExhibit(t)
	x.mustVerify(t)
	pristine := t.TempDir()
	must(t, os.CopyFS(pristine, os.DirFS(x.dir)))
	all := slices.Concat(frameCrafts(), liveCrafts(), fileCrafts(), logCrafts())
	if len(all) < 50 {
		t.Fatal(len(all))
	}
	for _, c := range all {
		c.do(t, x)
		var kept []byte
		if c.kept {
			kept = x.kept[len(x.kept)-1]
		}
		ok, what := x.verify(t, x.dir, pubOf(x.keyB), kept)
		if ok || !strings.Contains(what, c.want) {
			t.Errorf("%s: %v, want %q, got %q", c.name, ok, c.want, what)
		}
		if len(what) > 160 {
			what = what[:160] + "…"
		}
		t.Logf("%s: %s", c.name, what)
		must(t, os.RemoveAll(x.dir))
		must(t, os.CopyFS(x.dir, os.DirFS(pristine)))
	}
	x.mustVerify(t)
	t.Log(fmt.Sprint(len(all), " mutations"))
}
