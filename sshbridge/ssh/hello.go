package ssh

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"
)

// serverVersion is the first line that a client gets (RFC 4253, section 4.2).
const serverVersion = "SSH-2.0-Dragoman"

const (
	// maxHello bounds what is read of a client before its own words are known: a version line, and one packet of lists, which
	// the RFC bounds at 35,000 bytes (section 6.1).
	maxHello = 64 << 10
	// helloTime is how long a client's lists are waited for. Clients send them unasked; one that waits for ours gets them then.
	helloTime = time.Second
)

// msgKexInit is SSH_MSG_KEXINIT (section 7.1).
type msgKexInit struct {
	Cookie    [16]byte `sshtype:"20"`
	Kex       []string
	HostKey   []string
	CiphersCS []string
	CiphersSC []string
	MACsCS    []string
	MACsSC    []string
	CompCS    []string
	CompSC    []string
	LangCS    []string
	LangSC    []string
	Follows   bool
	Reserved  uint32
}

// helloConn is a client's connection whose first words were read already, and that has had our first line.
type helloConn struct {
	net.Conn
	read []byte // still to be given out
	said []byte // of our first line, still to be swallowed
}

func (h *helloConn) Read(b []byte) (int, error) {
	if len(h.read) > 0 {
		n := copy(b, h.read)
		h.read = h.read[n:]
		return n, nil
	}
	return h.Conn.Read(b)
}

func (h *helloConn) Write(b []byte) (int, error) {
	n := len(h.said)
	if n == 0 {
		return h.Conn.Write(b)
	}
	if !bytes.HasPrefix(b, h.said) {
		return 0, errors.New("ssh: another version line than the one that was sent")
	}
	h.said = nil
	if n == len(b) {
		return n, nil
	}
	m, err := h.Conn.Write(b[n:])
	return n + m, err
}

// hello says who we are and looks at what the client can do: the ciphers to offer. In SSH the client's order decides, and OpenSSH's
// begins with one that processors have no instructions for; those who can do better are offered what is faster only.
func hello(raw net.Conn, deadline time.Time) (net.Conn, []string, error) {
	line := []byte(serverVersion + "\r\n")
	if _, err := raw.Write(line); err != nil {
		return nil, nil, err
	}
	h := &helloConn{Conn: raw, said: line}
	_, all, _ := algorithms()
	if fast := fastCiphers(all); len(fast) > 0 {
		_ = raw.SetReadDeadline(earlier(time.Now().Add(helloTime), deadline))
		h.read = peekHello(raw)
		_ = raw.SetReadDeadline(deadline)
		if k, ok := parseHello(h.read); ok && common(fast, k.CiphersCS) && common(fast, k.CiphersSC) {
			return h, fast, nil
		}
	}
	return h, all, nil
}

func earlier(a, b time.Time) time.Time {
	if !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// fastCiphers are those that this processor has instructions for; none where it has not.
func fastCiphers(all []string) (fast []string) {
	if !(cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ || cpu.ARM64.HasAES && cpu.ARM64.HasPMULL) {
		return nil
	}
	for _, c := range all {
		if c == ssh.CipherAES128GCM || c == ssh.CipherAES256GCM {
			fast = append(fast, c)
		}
	}
	return fast
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

// peekHello reads up to the end of the client's lists, or as much as comes in time.
func peekHello(raw net.Conn) []byte {
	var b []byte
	buf := make([]byte, 4096)
	for len(b) < maxHello {
		n, err := raw.Read(buf)
		b = append(b, buf[:n]...)
		if err != nil {
			return b // what is wrong with the connection is noticed by whoever goes on
		}
		if _, _, whole := helloPacket(b); whole {
			return b
		}
	}
	return b
}

// helloPacket finds the payload of the first packet: lines, of which the last begins with "SSH-", then uint32 length, byte
// padding length, payload, padding. whole says that there is no need to read more.
func helloPacket(b []byte) (payload []byte, ok, whole bool) {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return nil, false, false
		}
		line := b[:end]
		b = b[end+1:]
		if bytes.HasPrefix(line, []byte("SSH-")) {
			break
		}
	}
	if len(b) < 5 {
		return nil, false, false
	}
	length, padding := uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3]), uint32(b[4])
	if length > 35_000 || length < padding+2 {
		return nil, false, true
	}
	if uint32(len(b)-4) < length {
		return nil, false, false
	}
	return b[5 : 4+length-padding], true, true
}

// parseHello gives the client's lists.
func parseHello(b []byte) (k msgKexInit, ok bool) {
	payload, ok, _ := helloPacket(b)
	if !ok || payload[0] != 20 {
		return k, false
	}
	return k, ssh.Unmarshal(payload, &k) == nil
}
