package record

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// unzstdChild makes this test binary a zstd decompressor for testdata/verify.py.
func unzstdChild() {
	r, err := zstd.NewReader(os.Stdin)
	if err == nil {
		_, err = io.Copy(os.Stdout, r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestIndependentVerifier has what this package writes checked by a program in another
// language that was written from docs/record-format.md alone.
func TestIndependentVerifier(t *testing.T) {
	path, stream := sealed(t, "ses_a", 120, 20_000)
	live := filepath.Join(t.TempDir(), "ses_a.live")
	must(t, os.WriteFile(live, append(StreamHeader("ses_a"), stream...), 0o600))
	s := testSpool(t, Options{SegmentSize: 1 << 10})
	writeSession(t, s, "ses_b", 30, false)
	_, err := s.Recover()
	must(t, err)
	segs, err := filepath.Glob(filepath.Join(s.dir, "ses_b", "*.seg"))
	must(t, err)
	verify := func(paths ...string) (string, error) {
		cmd := exec.Command("python3", append([]string{filepath.Join("testdata", "verify.py")}, paths...)...)
		cmd.Env = append(os.Environ(), "UNZSTD="+os.Args[0], "RECORD_TEST_UNZSTD=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	rep, err := Verify(path, nil)
	must(t, err)
	out, err := verify(append(segs, path, live)...)
	if err != nil || strings.Count(out, rep.Hash) != 2 || strings.Count(out, " ok ") != len(segs)+2 {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, p := range []string{path, live, segs[2]} {
		b, err := os.ReadFile(p)
		must(t, err)
		b = bytes.Clone(b)
		b[len(b)/2] ^= 1
		bad := filepath.Join(t.TempDir(), "bad")
		must(t, os.WriteFile(bad, b, 0o600))
		if out, err := verify(bad); err == nil {
			t.Errorf("a changed bit was not found in %s\n%s", p, out)
		}
	}
}
