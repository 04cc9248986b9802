package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/pgserver"
)

// TestCancel cancels running statements, as psql's Ctrl-C does, with and without TLS to the target.
func TestCancel(t *testing.T) {
	t.Run("plain", func(t *testing.T) { cancels(t, clientsRig(t, pgserver.Newest, clientsRules)) })
	t.Run("tls", func(t *testing.T) {
		ca := newAuthority(t, "targets")
		server := ca.issue("db", "db.test")
		db := postgres(t, pgserver.Newest, pgserver.Options{TLSCert: server.Cert, TLSKey: server.Key, HBA: "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256"})
		execSQL(t, db, "postgres", "CREATE DATABASE clients")
		execSQL(t, db, "clients", clientsSQL)
		cancels(t, startRig(t, db, clientsRules, "tls: {upstream: {mode: require}}"))
	})
}

func cancels(t *testing.T, r *rig) {
	c := r.place.connect(t)
	result := make(chan error, 1)
	go func() { _, err := c.Exec(context.Background(), "SELECT pg_sleep(200)"); result <- err }()
	waitUntil(t, 60*time.Second, "the statement runs", func() bool { return r.running("pg_sleep(200)") == 1 })
	pid, key := c.PgConn().PID(), c.PgConn().SecretKey()
	// Wrong keys, wrong sessions and no keys at all do nothing, and are not answered.
	for _, request := range [][]byte{
		cancelRequest(pid, flipped(key)), cancelRequest(pid+1, key), cancelRequest(0, nil), cancelRequest(pid, key[:len(key)-1]), cancelRequest(pid, append(key[:len(key):len(key)], 0)),
	} {
		send(t, r.place.Port, request)
	}
	// The key is the gateway's own: the target does not know it.
	send(t, r.db.Port, cancelRequest(pid, key))
	select {
	case err := <-result:
		t.Fatalf("the statement has ended: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	send(t, r.place.Port, cancelRequest(pid, key))
	wantCode(t, <-result, "57014")
	alive(t, c)
	// A cancel that comes when nothing runs hits nothing that comes later.
	send(t, r.place.Port, cancelRequest(pid, key))
	alive(t, c)
	c.Close(context.Background())
	send(t, r.place.Port, cancelRequest(pid, key)) // of a session that is over

	if out := interrupted(t, r, "SELECT pg_sleep(200);", func() bool { return r.running("pg_sleep(200)") == 1 }); !strings.Contains(out, "57014") {
		t.Errorf("psql:\n%s", out)
	}
	pending := func() bool { list, err := r.holds(hold.Pending); return err == nil && len(list) == 1 }
	if out := interrupted(t, r, "UPDATE held SET v = 'x' WHERE id = 1;", pending); !strings.Contains(out, "57014") || !strings.Contains(out, "hld_") {
		t.Errorf("psql in a hold:\n%s", out)
	}
	waitUntil(t, 60*time.Second, "the hold is withdrawn", func() bool { list, err := r.holds(hold.Withdrawn); return err == nil && len(list) == 1 })
}

// interrupted runs a statement in psql and sends psql what Ctrl-C sends when ready says so.
func interrupted(t *testing.T, r *rig, statement string, ready func() bool) string {
	t.Helper()
	cmd := exec.Command("psql", "-X", "-q", "-v", "VERBOSITY=verbose", r.place.dsn())
	cmd.Env = append(os.Environ(), "PGPASSWORD="+r.place.Password, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, statement)
	waitUntil(t, 60*time.Second, "the statement runs", ready)
	cmd.Process.Signal(syscall.SIGINT) // and without a terminal psql ends then
	in.Close()
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		cmd.Process.Kill()
		<-done
		t.Error("psql hangs")
	}
	return out.String()
}

func cancelRequest(pid uint32, key []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(12+len(key)))
	b = binary.BigEndian.AppendUint32(b, 80877102)
	return append(binary.BigEndian.AppendUint32(b, pid), key...)
}

func flipped(key []byte) []byte {
	k := bytes.Clone(key)
	k[0] ^= 1
	return k
}

// send sends a request on a connection of its own, and waits until it is closed.
func send(t *testing.T, port int, request []byte) {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1)
	n, err := c.Read(answer)
	if n != 0 && (len(request) >= 16 || answer[0] != 'E') { // only one that is malformed may be called that
		t.Errorf("a cancel request is answered: %q", answer)
	}
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Error("a cancel request's connection stays open")
	}
}
