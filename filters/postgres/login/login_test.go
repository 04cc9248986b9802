package login

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func sasl(code uint32, text string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, code), text...)
}

const mechanisms = "SCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00"

func client(t testing.TB, o Options) *Client {
	t.Helper()
	if o.User == "" {
		o.User, o.Password = "svc", "pencil"
	}
	o.Rand = bytes.NewReader(make([]byte, 64))
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serverSide answers client-final-message as the target would.
func serverSide(first, serverFirst, final string, iterations int) string {
	salted, _ := pbkdf2.Key(sha256.New, "pencil", []byte("saltsaltsaltsalt"), iterations, 32)
	withoutProof := final[:strings.Index(final, ",p=")]
	sig := sum(sum(salted, []byte("Server Key")), []byte(first+","+serverFirst+","+withoutProof))
	return "v=" + base64.StdEncoding.EncodeToString(sig)
}

// exchange runs SCRAM up to the proof, and returns the right final message.
func exchange(t *testing.T, c *Client) string {
	t.Helper()
	reply, done, err := c.Handle('R', sasl(authSASL, mechanisms))
	if err != nil || done || reply[0] != 'p' {
		t.Fatalf("SASL: %q %v %v", reply, done, err)
	}
	first := c.scram.firstBare
	serverFirst := "r=" + c.scram.nonce + "xyz,s=" + base64.StdEncoding.EncodeToString([]byte("saltsaltsaltsalt")) + ",i=4096"
	reply, _, err = c.Handle('R', sasl(authSASLContinue, serverFirst))
	if err != nil {
		t.Fatal(err)
	}
	return serverSide(first, serverFirst, string(reply[5:]), 4096)
}

func TestServerMustProveItself(t *testing.T) {
	c := client(t, Options{})
	final := exchange(t, c)
	if _, done, err := c.Handle('R', sasl(authSASLFinal, final)); done || err != nil {
		t.Fatalf("final: %v %v", done, err)
	}
	if _, done, err := c.Handle('R', sasl(authOK, "")); !done || err != nil {
		t.Fatalf("ok: %v %v", done, err)
	}
	for _, bad := range []string{"v=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "v=", "e=other-error", "", final[:len(final)-4]} {
		c := client(t, Options{})
		exchange(t, c)
		if _, _, err := c.Handle('R', sasl(authSASLFinal, bad)); !errors.Is(err, ErrServer) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	c = client(t, Options{})
	exchange(t, c)
	if _, done, err := c.Handle('R', sasl(authOK, "")); done || !errors.Is(err, ErrProtocol) {
		t.Errorf("OK without a signature: %v %v", done, err)
	}
}

func TestServerFirstIsChecked(t *testing.T) {
	salt := base64.StdEncoding.EncodeToString([]byte("salt"))
	for _, tail := range []string{
		"", "x,s=" + salt, "x,s=" + salt + ",i=", "x,s=" + salt + ",i=1", "x,s=" + salt + ",i=4095",
		"x,s=" + salt + ",i=600001", "x,s=" + salt + ",i=99999999999999999999", "x,s=" + salt + ",i=-4096", "x,s=" + salt + ",i=+4096",
		",s=" + salt + ",i=4096", "x,s=,i=4096", "x,s=!!,i=4096", "x,i=4096,s=" + salt, "x\x01,s=" + salt + ",i=4096",
		strings.Repeat("x", maxNonce) + ",s=" + salt + ",i=4096",
	} {
		c := client(t, Options{})
		if _, _, err := c.Handle('R', sasl(authSASL, mechanisms)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Handle('R', sasl(authSASLContinue, "r="+c.scram.nonce+tail)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%.60q: %v", tail, err)
		}
	}
	c := client(t, Options{})
	c.Handle('R', sasl(authSASL, mechanisms))
	if _, _, err := c.Handle('R', sasl(authSASLContinue, "r=theirs,s="+salt+",i=4096")); !errors.Is(err, ErrProtocol) {
		t.Errorf("another nonce: %v", err)
	}
}

func TestBindingFlag(t *testing.T) {
	cert := bytes.Repeat([]byte{7}, 32)
	for _, a := range []struct {
		offer string
		opt   Options
		gs2   string
		err   error
	}{
		{mechanisms, Options{TLS: true, CertSHA256: cert}, "p=tls-server-end-point,,", nil},
		{"SCRAM-SHA-256\x00\x00", Options{TLS: true, CertSHA256: cert}, "y,,", nil},
		{mechanisms, Options{TLS: true}, "n,,", nil},
		{mechanisms, Options{CertSHA256: cert}, "n,,", nil},
		{"SCRAM-SHA-256\x00\x00", Options{TLS: true, CertSHA256: cert, RequireBinding: true}, "", ErrMethod},
		{"SCRAM-SHA-256-PLUS\x00\x00", Options{TLS: true}, "", ErrMethod},
		{"OAUTHBEARER\x00\x00", Options{}, "", ErrMethod},
		{"", Options{}, "", ErrProtocol},
		{"SCRAM-SHA-256\x00", Options{}, "", ErrProtocol},
	} {
		c := client(t, a.opt)
		_, _, err := c.Handle('R', sasl(authSASL, a.offer))
		if !errors.Is(err, a.err) || c.scram.gs2 != a.gs2 {
			t.Errorf("%q: %q %v", a.offer, c.scram.gs2, err)
		}
	}
}

func TestOutOfTurn(t *testing.T) {
	for name, msgs := range map[string][][]byte{
		"continue first":    {sasl(authSASLContinue, "r=x")},
		"final first":       {sasl(authSASLFinal, "v=x")},
		"password twice":    {sasl(authCleartext, ""), sasl(authCleartext, "")},
		"md5 after SASL":    {sasl(authSASL, mechanisms), sasl(authMD5, "salt")},
		"SASL twice":        {sasl(authSASL, mechanisms), sasl(authSASL, mechanisms)},
		"ok amid SASL":      {sasl(authSASL, mechanisms), sasl(authOK, "")},
		"short":             {{0, 0}},
		"long ok":           {sasl(authOK, "x")},
		"md5 without salt":  {sasl(authMD5, "")},
		"too long":          {make([]byte, MaxMessage+1)},
		"cleartext in SASL": {sasl(authSASL, mechanisms), sasl(authCleartext, "")},
	} {
		c := client(t, Options{TLS: true})
		var err error
		for _, m := range msgs {
			if _, _, err = c.Handle('R', m); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, kind := range []byte{'S', 'K', 'Z', 'T', 'D', 'C', 0, 'p'} {
		if _, _, err := client(t, Options{}).Handle(kind, nil); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %v", kind, err)
		}
	}
	for _, code := range []uint32{2, 6, 7, 8, 9, 13, 99} { // Kerberos, SCM, GSS, SSPI …
		if _, _, err := client(t, Options{TLS: true}).Handle('R', sasl(code, "")); !errors.Is(err, ErrMethod) {
			t.Errorf("request %d: %v", code, err)
		}
	}
}

func TestNegotiate(t *testing.T) {
	two := func(minor, n uint32, names string) []byte {
		return append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, minor), n), names...)
	}
	c := client(t, Options{Protocol: Protocol32})
	if _, _, err := c.Handle('v', two(3<<16, 1, "_pq_.x\x00")); err != nil {
		t.Fatal(err)
	}
	if minor, names, ok := c.Negotiated(); minor != 0 || !ok || len(names) != 1 || names[0] != "_pq_.x" {
		t.Errorf("%d %v %v", minor, names, ok)
	}
	for _, b := range [][]byte{nil, two(0, 1, ""), two(0, 1<<31, "a\x00"), two(0, 0, "a\x00"), two(3, 0, ""), two(4<<16, 0, ""), two(0, 1, "\x00"), two(0, 1, "a")} {
		if _, _, err := client(t, Options{Protocol: Protocol32}).Handle('v', b); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

func TestServerError(t *testing.T) {
	_, _, err := client(t, Options{}).Handle('E', []byte("SFATAL\x00VFATAL\x00C28P01\x00Mno\x00Dwhy\x00Hdo\x00\x00"))
	var e *ServerError
	if !errors.As(err, &e) || e.Code != "28P01" || e.Message != "no" || e.Detail != "why" || e.Hint != "do" || e.Severity != "FATAL" {
		t.Fatalf("%#v", err)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{}, {User: "a\x00b"}, {User: "a", Database: "x\x00"}, {User: "a", Password: "x\x00"}, {User: "a", Protocol: 2 << 16},
		{User: "a", Params: map[string]string{"user": "root"}}, {User: "a", Params: map[string]string{"": "x"}},
		{User: "a", Params: map[string]string{"replication": "database"}},
		{User: "a", Params: map[string]string{"x": "y\x00user\x00root"}}, {User: strings.Repeat("a", 9001)},
	} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%.40v: %v", o, err)
		}
	}
	c := client(t, Options{User: "svc", Database: "shop", Params: map[string]string{"b": "2", "a": "1"}})
	want := "\x00\x00\x00\x2e\x00\x03\x00\x00user\x00svc\x00database\x00shop\x00a\x001\x00b\x002\x00\x00"
	want = fmt.Sprintf("\x00\x00\x00%c", len(want)) + want[4:]
	if got := string(c.Startup()); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever comes, in whatever order: no panic, no success without a reason, and nothing after the end.
func FuzzHandle(f *testing.F) {
	add := func(msgs ...[]byte) {
		var b []byte
		for _, m := range msgs {
			b = append(append(append(b, 'R'), byte(len(m)>>8), byte(len(m))), m...)
		}
		f.Add(b)
	}
	add(sasl(authOK, ""))
	add(sasl(authSASL, mechanisms), sasl(authSASLContinue, "r="+strings.Repeat("A", 24)+"x,s=AAAA,i=4096"), sasl(authSASLFinal, "v=AAAA"), sasl(authOK, ""))
	add(sasl(authMD5, "salt"), sasl(authOK, ""))
	add(sasl(authCleartext, ""))
	f.Add([]byte("E\x00\x0aSFATAL\x00C2\x00"))
	f.Add([]byte("v\x00\x0a\x00\x03\x00\x00\x00\x00\x00\x01a\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := client(t, Options{Protocol: Protocol32, TLS: len(in)%2 == 0})
		sasled, ended := false, false
		for len(in) >= 3 {
			kind, n := in[0], min(int(in[1])<<8|int(in[2]), len(in)-3)
			body := in[3 : 3+n]
			in = in[3+n:]
			if kind == 'R' && bytes.HasPrefix(body, sasl(authSASLContinue, "")) && bytes.Contains(body, []byte(",i=")) &&
				!bytes.HasSuffix(body, []byte(",i=4096")) {
				return // not worth the time of the key derivation
			}
			reply, done, err := c.Handle(kind, body)
			if ended && err == nil {
				t.Fatal("a message after the end was taken")
			}
			sasled = sasled || c.state >= saslFirst && c.state <= saslFinal
			if done && sasled && c.scram.serverProof == nil {
				t.Fatal("done without a proof")
			}
			if len(reply) > 0 && (reply[0] != 'p' || int(binary.BigEndian.Uint32(reply[1:]))+1 != len(reply)) {
				t.Fatalf("reply %q", reply)
			}
			ended = ended || done || err != nil
		}
	})
}

// BenchmarkSCRAM is what one login costs at PostgreSQL's default of 4,096 iterations.
func BenchmarkSCRAM(b *testing.B) {
	for b.Loop() {
		c := client(b, Options{})
		if _, _, err := c.Handle('R', sasl(authSASL, mechanisms)); err != nil {
			b.Fatal(err)
		}
		if _, _, err := c.Handle('R', sasl(authSASLContinue, "r="+c.scram.nonce+"x,s=AAAA,i=4096")); err != nil {
			b.Fatal(err)
		}
	}
}
