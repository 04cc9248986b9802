package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// writeSession writes a session with n actions and returns its stream's bytes.
func writeSession(t testing.TB, s *Spool, id string, n int, end bool) []byte {
	t.Helper()
	w := begin(t, s, ModeWrite, id)
	for i := range n {
		must(t, w.AppendJSON(KindAction, uint64(i+1), map[string]any{"action": map[string]any{"text": fmt.Sprint("select ", i)}}))
		must(t, w.Append(KindResponse, uint64(i+1), bytes.Repeat([]byte{byte(i)}, 20+i)))
		must(t, w.Flush())
	}
	if end {
		must(t, w.Close(Close{Reason: "client", Actions: uint64(n)}))
	} else {
		w.Abandon()
	}
	return streamOf(t, filepath.Join(s.dir, id))
}

// streamOf reads all segments' frames without verifying.
func streamOf(t testing.TB, dir string) []byte {
	t.Helper()
	nums, err := segmentNumbers(dir)
	must(t, err)
	var all []byte
	for _, n := range nums {
		b, err := os.ReadFile(segPath(dir, n))
		must(t, err)
		all = append(all, b[segHeaderLen:]...)
	}
	return all
}

func frames(t testing.TB, path string) []Frame {
	t.Helper()
	r, err := OpenPath(path)
	must(t, err)
	defer r.Close()
	var all []Frame
	for {
		f, err := r.Next()
		if err == io.EOF {
			return all
		}
		must(t, err)
		f.Payload = bytes.Clone(f.Payload)
		all = append(all, f)
	}
}

func TestTornTailAtEveryByte(t *testing.T) {
	src := testSpool(t, Options{})
	writeSession(t, src, "ses_a", 4, false)
	whole, err := os.ReadFile(segPath(filepath.Join(src.dir, "ses_a"), 0))
	must(t, err)
	ends := []int{} // file offsets after each whole frame
	for off := segHeaderLen; off < len(whole); {
		h, err := decodeHeader(whole[off:])
		must(t, err)
		off += frameOverhead + h.length
		ends = append(ends, off)
	}
	for n := 0; n <= len(whole); n++ {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "ses_a"), 0o700))
		must(t, os.WriteFile(segPath(filepath.Join(dir, "ses_a"), 0), whole[:n], 0o600))
		s, err := OpenSpool(dir, Options{Syncers: 1})
		must(t, err)
		got, err := s.Recover()
		want := 0
		for want < len(ends) && ends[want] <= n {
			want++
		}
		if n < segHeaderLen {
			if err == nil {
				t.Fatalf("%d bytes: half a header was taken", n)
			}
			s.Close()
			continue
		}
		if err != nil || len(got) != 1 || got[0].Frames != uint64(want+1) || !got[0].Lost {
			t.Fatalf("%d bytes: %+v %v, want %d frames and a close", n, got, err, want)
		}
		all := frames(t, filepath.Join(dir, "ses_a"))
		last := all[len(all)-1]
		if len(all) != want+1 || last.Kind != KindClose || !last.Recovered {
			t.Fatalf("%d bytes: %d frames", n, len(all))
		}
		if again, err := s.Recover(); err != nil || len(again) != 0 {
			t.Fatal("recovered twice")
		}
		if use, _ := diskUse(dir); use != s.Used() {
			t.Fatalf("%d bytes: used %d, counted %d", n, use, s.Used())
		}
		s.Close()
	}
}

func TestRecoverLeavesLiveAlone(t *testing.T) {
	s := testSpool(t, Options{})
	w := begin(t, s, ModeWrite, "ses_live")
	must(t, w.Flush())
	other, err := OpenSpool(s.dir, Options{})
	must(t, err)
	defer other.Close()
	if got, err := other.Recover(); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	w.Abandon()
	got, err := other.Recover()
	if err != nil || len(got) != 1 || !got[0].Lost {
		t.Fatal(got, err)
	}
}

func TestRecoverManySegments(t *testing.T) {
	s := testSpool(t, Options{SegmentSize: 1 << 10})
	writeSession(t, s, "ses_a", 50, false)
	nums, _ := segmentNumbers(filepath.Join(s.dir, "ses_a"))
	if len(nums) < 5 {
		t.Fatal(nums)
	}
	// The tail of an early segment is lost: what follows cannot be verified.
	must(t, os.Truncate(segPath(filepath.Join(s.dir, "ses_a"), 2), segHeaderLen+10))
	got, err := s.Recover()
	if err != nil || len(got) != 1 || got[0].Cut == 0 {
		t.Fatal(got, err)
	}
	rep, err := Verify(filepath.Join(s.dir, "ses_a"), nil)
	if err != nil || !rep.OK() || !rep.Lost || rep.Frames != got[0].Frames {
		t.Fatalf("%+v %v", rep, err)
	}
}

// TestGivenUpSegment: a segment whose failed write could not be taken back holds a whole,
// valid frame that does not count.
func TestGivenUpSegment(t *testing.T) {
	s := testSpool(t, Options{})
	w := begin(t, s, ModeWrite, "ses_a")
	must(t, w.Flush())
	good, goodChain := w.good, w.chain.prev()
	must(t, w.Append(KindAction, 1, []byte(`"refused"`)))
	_, err := w.seg.file.WriteAt(*w.buf, w.seg.size)
	must(t, err)
	w.at = good // as flush does after an error
	w.chain.set(goodChain)
	w.release()
	w.retire(w.seg)
	w.seg = nil
	must(t, w.Append(KindAction, 1, []byte(`"counts"`)))
	must(t, w.Flush())
	w.Abandon()
	if _, err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	all := frames(t, filepath.Join(s.dir, "ses_a"))
	if len(all) != 3 || string(all[1].Payload) != `"counts"` {
		t.Fatalf("%d frames", len(all))
	}
}

func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("this test needs root to mount a small tmpfs: %v", err)
	}
	defer func() { must(t, unix.Unmount(dir, 0)) }()
	s, err := OpenSpool(filepath.Join(dir, "spool"), Options{SegmentSize: 64 << 10})
	must(t, err)
	defer s.Close()
	w := begin(t, s, ModeWrite, "ses_a")
	flushed := []string{}
	failed := 0
	payload := func(i int) string { return fmt.Sprintf("%08d%s", i, strings.Repeat("x", 3000)) }
	for i := 0; failed < 5; i++ {
		must(t, w.Append(KindAction, uint64(i), []byte(payload(i))))
		if err := w.Flush(); err != nil {
			if !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			failed++
			continue
		}
		flushed = append(flushed, payload(i))
	}
	// Somebody makes room: the writer goes on with the chain intact.
	must(t, s.Release("ses_a", 128<<10))
	must(t, w.Append(KindAction, 1, []byte(payload(99999))))
	must(t, w.Flush())
	flushed = append(flushed, payload(99999))
	must(t, w.Close(Close{Reason: "client"}))
	all := frames(t, filepath.Join(s.dir, "ses_a"))
	all = all[:len(all)-1]
	for i := range all {
		if got, want := string(all[len(all)-1-i].Payload), flushed[len(flushed)-1-i]; got != want {
			t.Fatalf("frame %d from the end: %.8s, want %.8s", i, got, want)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d frames", len(all))
	}
}

// TestMain doubles as the child of the kill tests, and as a decompressor.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RECORD_TEST_CHILD"); dir != "" {
		killChild(dir, os.Getenv("RECORD_TEST_MODE"))
		return
	}
	if os.Getenv("RECORD_TEST_UNZSTD") != "" {
		unzstdChild()
		return
	}
	os.Exit(m.Run())
}

// killChild writes until it is killed, and says on stdout which frames count.
func killChild(dir, mode string) {
	m, err := ParseMode(mode)
	if err != nil {
		panic(err)
	}
	s, err := OpenSpool(dir, Options{SegmentSize: 256 << 10})
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	say := func(id string, n uint64) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, "%s %d\n", id, n)
	}
	for g := range 8 {
		go func() {
			for k := 0; ; k++ {
				id := fmt.Sprintf("ses_%d_%d", g, k)
				w, err := s.Begin(m, testOpen(id))
				if err != nil {
					panic(err)
				}
				for i := range 300 {
					if err := w.Append(KindAction, uint64(i+1), bytes.Repeat([]byte{'a'}, 50+i)); err != nil {
						panic(err)
					}
					n := w.Frames()
					done := make(chan error, 1)
					w.Commit(func(err error) {
						if err == nil {
							say(id, n)
						}
						done <- err
					})
					if err := <-done; err != nil {
						panic(err)
					}
				}
				if err := w.Close(Close{Reason: "client"}); err != nil {
					panic(err)
				}
			}
		}()
	}
	time.Sleep(time.Minute)
}

func TestKill(t *testing.T) {
	for _, mode := range []string{"write", "fsync"} {
		for round := range 3 {
			t.Run(fmt.Sprintf("%s-%d", mode, round), func(t *testing.T) { killRound(t, mode, round) })
		}
	}
}

func killRound(t *testing.T, mode string, round int) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RECORD_TEST_CHILD="+dir, "RECORD_TEST_MODE="+mode)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	time.AfterFunc(time.Duration(200+100*round)*time.Millisecond, func() { cmd.Process.Kill() })
	said := map[string]uint64{}
	total := 0
	for sc := bufio.NewScanner(out); sc.Scan(); {
		id, num, ok := strings.Cut(sc.Text(), " ")
		n, err := strconv.ParseUint(num, 10, 64)
		if ok && err == nil && len(id) > 0 {
			said[id] = max(said[id], n)
			total++
		}
	}
	_ = cmd.Wait()
	s, err := OpenSpool(dir, Options{})
	must(t, err)
	defer s.Close()
	_, err = s.Recover()
	must(t, err)
	if len(said) == 0 {
		t.Fatal("the child wrote nothing")
	}
	for id, n := range said {
		rep, err := Verify(filepath.Join(dir, id), nil)
		must(t, err)
		if !rep.OK() || !rep.Ended || rep.Frames < n+1 {
			t.Errorf("%s: %d frames were reported, the record has %+v", id, n, rep)
		}
	}
	t.Logf("%d sessions, %d commits reported, all there", len(said), total)
}
