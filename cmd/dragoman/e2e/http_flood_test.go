package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// flooder is an HTTP/2 client that keeps to no rule.
type flooder struct {
	*http2.Framer
	conn  net.Conn
	w     *bufio.Writer
	block bytes.Buffer
	enc   *hpack.Encoder
	token string
	next  uint32
	ended chan string // what the gateway said before it closed the connection
}

// newFlooder opens a connection; with deaf it never reads.
func newFlooder(t *testing.T, addr, token string, deaf bool) *flooder {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if deaf { // the kernel shall not keep for it what Envoy has to
		conn.(*net.TCPConn).SetReadBuffer(4096)
	}
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	f := &flooder{conn: conn, w: bufio.NewWriterSize(conn, 64<<10), token: token, next: 1, ended: make(chan string, 1)}
	f.enc = hpack.NewEncoder(&f.block)
	io.WriteString(f.w, http2.ClientPreface)
	f.Framer = http2.NewFramer(f.w, bufio.NewReader(conn))
	f.AllowIllegalWrites = true
	f.WriteSettings()
	if !deaf {
		go f.read()
	}
	return f
}

// read tells what came, once nothing comes any more.
func (f *flooder) read() {
	said := map[string]int{}
	for {
		frame, err := f.ReadFrame()
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			said["GOAWAY "+frame.ErrCode.String()]++
		case *http2.RSTStreamFrame:
			said["RST_STREAM "+frame.ErrCode.String()]++
		case *http2.DataFrame:
			if bytes.Contains(frame.Data(), []byte("PUBLIC")) {
				said["PUBLIC"]++
			}
		}
		if err != nil {
			f.ended <- fmt.Sprint(said)
			return
		}
	}
}

// fields is a block of header fields; pairs "name", "value".
func (f *flooder) fields(pairs ...string) []byte {
	f.block.Reset()
	for i := 0; i+1 < len(pairs); i += 2 {
		f.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return f.block.Bytes()
}

// ordinary is what a good request has.
func (f *flooder) ordinary(more ...string) []string {
	return append([]string{":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/x", "authorization", "Bearer " + f.token}, more...)
}

// open begins a stream.
func (f *flooder) open(endHeaders, endStream bool, block []byte) (uint32, error) {
	id := f.next
	f.next += 2
	return id, f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: endHeaders, EndStream: endStream})
}

// repeat does it until the gateway has closed the connection, at most n times; how often it could.
func (f *flooder) repeat(n int, do func(i int) error) int {
	for i := range n {
		if err := do(i); err != nil {
			return i
		}
		select {
		case said := <-f.ended:
			f.ended <- said
			return i
		default:
		}
	}
	if f.w.Flush() != nil {
		return n - 1
	}
	return n
}

// floods are attacks, each on a connection of its own. How often is more than the gateway may bear.
var floods = []struct {
	name  string
	times int
	deaf  bool
	lasts bool // the connection may stay, since what it may have is bounded
	do    func(f *flooder) func(i int) error
}{
	{"rapid reset", 200_000, false, false, func(f *flooder) func(int) error {
		return func(int) error {
			id, err := f.open(true, true, f.fields(f.ordinary()...))
			return errors.Join(err, f.WriteRSTStream(id, http2.ErrCodeCancel))
		}
	}},
	{"rapid reset without a credential", 200_000, false, false, func(f *flooder) func(int) error {
		return func(int) error {
			id, err := f.open(true, false, f.fields(":method", "POST", ":scheme", "http", ":authority", "h", ":path", "/public/x"))
			return errors.Join(err, f.WriteRSTStream(id, http2.ErrCodeCancel))
		}
	}},
	{"reset by the server: a window that overflows", 200_000, false, false, func(f *flooder) func(int) error {
		return func(int) error {
			id, err := f.open(true, false, f.fields(f.ordinary()...))
			return errors.Join(err, f.WriteWindowUpdate(id, 1<<31-1))
		}
	}},
	{"CONTINUATION without an end", 16_384, false, false, func(f *flooder) func(int) error {
		f.open(false, true, f.fields(f.ordinary()...))
		block := bytes.Clone(f.fields("x-filler", strings.Repeat("x", 16_000)))
		return func(int) error { return f.WriteContinuation(1, false, block) }
	}},
	{"empty CONTINUATION", 200_000, false, false, func(f *flooder) func(int) error {
		f.open(false, true, f.fields(f.ordinary()...))
		return func(int) error { return f.WriteContinuation(1, false, nil) }
	}},
	{"HPACK: a few bytes that become a gigabyte", 4096, false, false, func(f *flooder) func(int) error {
		f.open(true, true, f.fields(f.ordinary("x-bomb", strings.Repeat("x", 3500))...))
		bomb := bytes.Repeat([]byte{0x80 | 62}, 16_000) // the field last put into the table
		return func(int) error {
			_, err := f.open(true, true, append(bytes.Clone(f.fields(f.ordinary()...)), bomb...))
			return err
		}
	}},
	{"SETTINGS that are never taken", 1_500_000, true, false, func(f *flooder) func(int) error {
		return func(int) error { return f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 16384}) }
	}},
	{"PING that is never taken", 1_500_000, true, false, func(f *flooder) func(int) error {
		return func(int) error { return f.WritePing(false, [8]byte{}) }
	}},
	{"answers that are never taken", 200_000, true, false, func(f *flooder) func(int) error {
		return func(int) error {
			_, err := f.open(true, true, f.fields(":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/"))
			return err
		}
	}},
	{"PRIORITY", 200_000, false, false, func(f *flooder) func(int) error {
		return func(i int) error { return f.WritePriority(1, http2.PriorityParam{Weight: byte(i)}) }
	}},
	{"WINDOW_UPDATE", 200_000, false, false, func(f *flooder) func(int) error {
		return func(int) error { return f.WriteWindowUpdate(0, 1) }
	}},
	{"empty DATA", 200_000, false, false, func(f *flooder) func(int) error {
		id, _ := f.open(true, false, f.fields(append(f.ordinary(), ":method", "POST")[2:]...))
		return func(int) error { return f.WriteData(id, false, nil) }
	}},
	{"streams that never end", 20_000, false, true, func(f *flooder) func(int) error {
		return func(int) error {
			_, err := f.open(true, false, f.fields(f.ordinary()...))
			return err
		}
	}},
}

// TestHTTPFloods: what a client can do to HTTP/2 at the level of frames ends with its own connection: memory stays bounded, and
// others are served meanwhile.
func TestHTTPFloods(t *testing.T) {
	n := nginx(t, secretServer, nil)
	g, url := httpGateway(t, n.Addr, "", publicOnly)
	addr, token := strings.TrimPrefix(url, "http://"), g.token("agents")
	served := func(when string) {
		t.Helper()
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if a, err := tryAsk(c, token, "GET", url+"/public/good", ""); err != nil || a.StatusCode != 200 {
			t.Errorf("%s: others are not served: %v %v", when, a.Response, err)
		}
	}
	served("before")
	before := g.memory("VmRSS")
	for _, a := range floods {
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				f := newFlooder(t, addr, token, a.deaf)
				defer f.conn.Close()
				do := a.do(f)
				times := f.repeat(a.times, do)
				if a.deaf {
					go f.read()
				}
				if !a.lasts && times == a.times && !f.over() {
					t.Errorf("%s: %d times, and the connection is still open", a.name, times)
				}
				select {
				case said := <-f.ended:
					t.Logf("%s: over after %d times: %s", a.name, times, said)
				default:
					t.Logf("%s: over after %d times", a.name, times)
				}
			})
		}
		served(a.name)
		all.Wait()
		if more := g.memory("VmHWM") - before; more > 64<<10 {
			t.Errorf("%s: Envoy's memory grew by %d KiB", a.name, more)
		}
	}
	served("after")
	t.Logf("Envoy's peak grew by %d KiB", g.memory("VmHWM")-before)
}

// over reports whether the gateway has closed the connection, or does so when it has read all.
func (f *flooder) over() bool {
	select {
	case said := <-f.ended:
		f.ended <- said
		return true
	case <-time.After(60 * time.Second):
		return false
	}
}

// TestHTTPBadFrames: heads and trailers that HTTP/2 does not know end at Envoy; nginx sees none of them.
func TestHTTPBadFrames(t *testing.T) {
	n := nginx(t, secretServer, nil)
	g, url := httpGateway(t, n.Addr, "", publicOnly)
	addr, token := strings.TrimPrefix(url, "http://"), g.token("agents")
	for name, fields := range map[string][]string{
		"two paths":              {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", ":path", "/public/bad2"},
		"no method":              {":scheme", "http", ":authority", "h", ":path", "/public/bad"},
		"no path":                {":method", "GET", ":scheme", "http", ":authority", "h"},
		"an empty path":          {":method", "GET", ":scheme", "http", ":authority", "h", ":path", ""},
		"an unknown pseudo":      {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", ":x", "y"},
		"a response's pseudo":    {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", ":status", "200"},
		"a pseudo behind fields": {":method", "GET", ":scheme", "http", ":authority", "h", "a", "b", ":path", "/public/bad"},
		"capitals":               {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", "X-A", "b"},
		"a connection's field":   {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", "connection", "close"},
		"te":                     {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", "te", "gzip"},
		"a line break":           {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", "a", "b\r\nc: d"},
		"a zero":                 {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", "a", "b\x00"},
		"a name with a space":    {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", "a b", "c"},
		"a long head":            {":method", "GET", ":scheme", "http", ":authority", "h", ":path", "/public/bad", "a", strings.Repeat("b", 100<<10)},
	} {
		got := badFrames(t, addr, token, func(f *flooder) {
			block := f.fields(append(fields, "authorization", "Bearer "+token)...)
			f.open(len(block) <= 16_000, true, block[:min(len(block), 16_000)])
			for len(block) > 16_000 {
				block = block[16_000:]
				f.WriteContinuation(1, len(block) <= 16_000, block[:min(len(block), 16_000)])
			}
		})
		if strings.Contains(got, "PUBLIC") {
			t.Errorf("%s: %s", name, got)
		}
	}
	post := []string{":method", "POST", ":scheme", "http", ":authority", "h", ":path", "/public/bad", "authorization", "Bearer " + token}
	for name, trailers := range map[string]struct {
		end    bool
		fields []string
	}{
		"a pseudo in trailers": {true, []string{":path", "/secret"}}, "trailers that do not end": {false, []string{"a", "b"}},
		"a head as trailers": {true, post},
	} {
		got := badFrames(t, addr, token, func(f *flooder) {
			id, _ := f.open(true, false, f.fields(post...))
			f.WriteData(id, false, []byte("x"))
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.fields(trailers.fields...), EndHeaders: true, EndStream: trailers.end})
		})
		if strings.Contains(got, "PUBLIC") {
			t.Errorf("%s: %s", name, got)
		}
	}
	// Trailers without a field are the end of the body, and nothing else.
	if got := badFrames(t, addr, token, func(f *flooder) {
		id, _ := f.open(true, false, f.fields(post...))
		f.WriteData(id, false, []byte("x"))
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, EndStream: true})
	}); !strings.Contains(got, "PUBLIC") && !strings.Contains(got, "PROTOCOL_ERROR") {
		t.Error("empty trailers:", got)
	}
	if a := ask(t, token, "GET", url+"/public/good", ""); a.StatusCode != 200 {
		t.Error(a.StatusCode, a.text)
	}
	seen, err := n.Log()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range seen {
		if strings.Contains(line, "/secret") || strings.Contains(line, "bad2") || strings.Contains(line, "GET /public/bad") {
			t.Error("nginx was asked", line)
		}
	}
}

// badFrames sends them, and then a PING, behind whose answer all has been said; or the connection is closed.
func badFrames(t *testing.T, addr, token string, send func(f *flooder)) string {
	t.Helper()
	f := newFlooder(t, addr, token, true)
	defer f.conn.Close()
	send(f)
	if err := f.w.Flush(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err.Error()
	}
	var said strings.Builder
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return said.String()
		}
		switch frame := frame.(type) {
		case *http2.GoAwayFrame:
			fmt.Fprintln(&said, "GOAWAY", frame.ErrCode)
		case *http2.RSTStreamFrame:
			fmt.Fprintln(&said, "RST_STREAM", frame.ErrCode)
			return said.String()
		case *http2.DataFrame:
			said.Write(frame.Data())
			if frame.StreamEnded() {
				return said.String()
			}
		case *http2.HeadersFrame:
			fmt.Fprintln(&said, "HEADERS")
			if frame.StreamEnded() {
				return said.String()
			}
		}
	}
}
