package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"dragoman.dev/dragoman/internal/hold"
	"dragoman.dev/dragoman/internal/mysqlserver"
	"dragoman.dev/dragoman/internal/notice"
	"dragoman.dev/dragoman/internal/pgserver"
	"dragoman.dev/dragoman/internal/sshserver"
)

// toldRules block one thing and hold another at each target, each with what is allowed instead.
const toldRules = `
- {name: come, verdict: allow, when: {groups: [agents], kinds: [connect]}}
- {name: no-drop, verdict: block, when: {groups: [agents], targets: [db, my], verbs: [delete]}, reason: nothing is deleted, hint: archive it}
- {name: ask, verdict: hold, when: {groups: [agents], targets: [db, my], verbs: [insert]}, approvers: [leads], reason: people look, hint: use the queue}
- {name: no-drop-web, verdict: block, when: {targets: [web, rpc], paths: ["/gone", "/grpc.health.v1.Health/Watch"]}, reason: nothing is deleted, hint: archive it}
- {name: ask-web, verdict: hold, when: {groups: [agents], targets: [web, rpc], paths: ["/ask", "/yes", "/grpc.health.v1.Health/Check"]}, approvers: [leads], reason: people look, hint: use the queue}
- {name: no-drop-tool, verdict: block, when: {targets: [web], tools: [drop_all]}, reason: nothing is deleted, hint: archive it}
- {name: ask-tool, verdict: hold, when: {groups: [agents], targets: [web], tools: [refund]}, approvers: [leads], reason: people look, hint: use the queue}
- {name: no-drop-box, verdict: block, when: {targets: [box], commands: [rm]}, reason: nothing is deleted, hint: archive it}
- {name: ask-box, verdict: hold, when: {groups: [agents], targets: [box], commands: [touch]}, approvers: [leads], reason: people look, hint: use the queue}
- {name: no-drop-file, verdict: block, when: {targets: [box], kinds: [sftp], verbs: [remove]}, reason: nothing is deleted, hint: archive it}
- {name: ask-file, verdict: hold, when: {groups: [agents], targets: [box], kinds: [sftp], verbs: [mkdir]}, approvers: [leads], reason: people look, hint: use the queue}
- {name: box, verdict: allow, when: {groups: [agents], targets: [box], kinds: [exec, shell, sftp]}}
`

// told is a gateway before a target of each kind, where everything that is held is denied.
type told struct {
	*gateway
	token string
	ports map[string]int
}

func newTold(t *testing.T) *told {
	g := &told{ports: map[string]int{}}
	for _, name := range []string{"db", "my", "web", "rpc", "box", "admin"} {
		g.ports[name] = freePort(t)
	}
	pg := postgres(t, pgserver.Newest, pgserver.Options{})
	execSQL(t, pg, "postgres", "CREATE TABLE notes (id int, text text); CREATE TABLE pooled (id int, text text)")
	my := mysqlServer(t, mysqlserver.Options{Kind: mysqlserver.MariaDB})
	mysqlExec(t, mysqlRoot(t, my, ""), mysqlUser+"CREATE DATABASE app; CREATE TABLE app.notes (id int, text text);")
	web := newService(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	healthpb.RegisterHealthServer(srv, health.NewServer())
	go srv.Serve(l)
	t.Cleanup(srv.Stop)
	box, err := sshserver.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Stop() })
	g.gateway = newGateway(t, setup{Config: fmt.Sprintf("admin: {listen: \"127.0.0.1:%d\"}\n", g.ports["admin"]) + "targets:\n" +
		target("db", g.ports["db"], pg, "postgres") + mysqlTarget("my", g.ports["my"], my) +
		httpTargetYAML("web", web.addr(), g.ports["web"], ", http: {mcp: [/mcp]}") + httpTargetYAML("rpc", l.Addr().String(), g.ports["rpc"], `, http: {version: "2"}`) +
		fmt.Sprintf("  - {name: box, protocol: ssh, address: %q, listen: '127.0.0.1:%d', credentials: {user: %s, key: \"file:%s\"}, ssh: {host_keys: [%q]}}\n",
			box.Address(), g.ports["box"], box.User, box.Key, box.HostKey) + "policy: {dir: policy}\n",
		Files: map[string]string{"policy/rules.yaml": "rules:" + strings.ReplaceAll(toldRules+poolRule, "\n-", "\n  -"), "db-password": pg.Password, "my-password": "app-secret"}}).start()
	g.token = g.gateway.token("agents")
	g.denier(t)
	return g
}

// denier denies everything that is held, but for requests of /yes, until the test ends.
func (g *told) denier(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			list, _ := g.holds(hold.Pending)
			for _, h := range list {
				if h.Rule == "pool" || time.Since(h.Created) < 300*time.Millisecond { // some are told of the hold first
					continue
				}
				word := "deny"
				if strings.Contains(h.Action.Text, "/yes") {
					word = "approve"
				}
				_ = g.decide(h.ID, word, "user:lea@example.com", "leads")
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

// blocked says whether programs are told all that there is to tell of what policy blocks.
func (g *told) blocked(t *testing.T, where string, n notice.Notice) {
	t.Helper()
	if n.Code != notice.Blocked || !strings.HasPrefix(n.Rule, "no-drop") || n.Instead != "archive it" || n.Hold != "" {
		t.Errorf("%s: of what is blocked programs are told %+v", where, n)
	}
}

// asked is the same of a hold, and of its end.
func (g *told) asked(t *testing.T, where, code string, n notice.Notice) {
	t.Helper()
	url := fmt.Sprintf("http://127.0.0.1:%d/approvals/%s", g.ports["admin"], n.Hold)
	if n.Code != code || !strings.HasPrefix(n.Rule, "ask") || !strings.HasPrefix(n.Hold, "hld_") || n.URL != url || n.Instead != "use the queue" {
		t.Errorf("%s: of what is %s programs are told %+v", where, code, n)
	}
}

func (g *told) parsed(t *testing.T, where, text string) notice.Notice {
	t.Helper()
	n, ok := notice.Parse(text)
	if !ok {
		t.Errorf("%s: programs are told nothing in %q", where, text)
	}
	return n
}

// TestToldPrograms: in each protocol a refusal, a hold where there is a place for it, and its end say to programs: a stable code, the hold's
// id, its URL, and what is allowed instead. Kubernetes is in kubee2e. RDP has no place for any of it (docs/approvals.md).
func TestToldPrograms(t *testing.T) {
	g := newTold(t)
	t.Run("PostgreSQL", g.postgres)
	t.Run("MySQL", g.mysql)
	t.Run("HTTP", g.http)
	t.Run("WebSocket", g.websocket)
	t.Run("MCP", g.mcp)
	t.Run("gRPC", g.grpc)
	t.Run("SSH exec", g.exec)
	t.Run("SSH shell", g.shell)
	t.Run("SFTP", g.sftp)
	t.Run("a pool asks once", g.pool)
}

func (g *told) postgres(t *testing.T) {
	cfg, err := pgx.ParseConfig(place{Port: g.ports["db"], User: "agent", Password: g.token, Database: "postgres"}.dsn() + " sslmode=disable password=" + g.token)
	if err != nil {
		t.Fatal(err)
	}
	var notices []string
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Detail) }
	c, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	fails := func(sql string) string {
		_, err := c.Exec(context.Background(), sql)
		var pe *pgconn.PgError
		if !errors.As(err, &pe) {
			t.Fatalf("%s: %v", sql, err)
		}
		return pe.Detail
	}
	g.blocked(t, "DETAIL", g.parsed(t, "DETAIL", fails("DELETE FROM notes")))
	n := g.parsed(t, "DETAIL", fails("INSERT INTO notes VALUES (1)"))
	g.asked(t, "DETAIL", notice.Denied, n)
	if len(notices) != 1 {
		t.Fatalf("the notices are %q", notices)
	}
	held := g.parsed(t, "NOTICE", notices[0])
	if g.asked(t, "NOTICE", notice.Held, held); held.Hold != n.Hold {
		t.Errorf("%s is held and %s denied", held.Hold, n.Hold)
	}
}

func (g *told) mysql(t *testing.T) {
	db := mysqlPlace{Port: g.ports["my"], Password: g.token, Database: "app"}.connect(t, "")
	fails := func(sql string) string {
		_, err := db.Exec(sql)
		var said *driver.MySQLError
		if !errors.As(err, &said) {
			t.Fatalf("%s: %v", sql, err)
		}
		return said.Message
	}
	g.blocked(t, "message", g.parsed(t, "message", fails("DELETE FROM notes")))
	g.asked(t, "message", notice.Denied, g.parsed(t, "message", fails("INSERT INTO notes VALUES (1, 'x')")))
}

// document is a problem document, or what of JSON-RPC is like one.
type document struct{ Code, Rule, Hold, URL, Hint, Instead string }

func (d document) notice() notice.Notice {
	return notice.Notice{Code: d.Code, Rule: d.Rule, Hold: d.Hold, URL: d.URL, Instead: d.Hint + d.Instead}
}

func (g *told) http(t *testing.T) {
	url := fmt.Sprintf("http://127.0.0.1:%d", g.ports["web"])
	of := func(path string, headers ...string) notice.Notice {
		var d document
		a := ask(t, g.token, "POST", url+path, `{"n":1}`, headers...)
		a.problem(t)
		if err := json.Unmarshal([]byte(a.text), &d); err != nil || a.StatusCode != http.StatusForbidden {
			t.Fatal(a.StatusCode, a.text, err)
		}
		return d.notice()
	}
	g.blocked(t, "HTTP", of("/gone"))
	g.asked(t, "HTTP", notice.Denied, of("/ask"))
	held := of("/ask", "Prefer", "respond-async", "X-Other", "1")
	if held.Code != notice.Held || held.URL == "" || !strings.Contains(held.Instead, held.Hold) { // what to do is: ask again
		t.Errorf("a client that does not wait is told %+v", held)
	}
}

func (g *told) websocket(t *testing.T) {
	handshake := func(path string) *http.Response {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g.ports["web"]))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(60 * time.Second))
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: web\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, g.token)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	of := func(path string) notice.Notice {
		res := handshake(path)
		defer res.Body.Close()
		var d document
		if err := json.NewDecoder(res.Body).Decode(&d); err != nil || res.StatusCode != http.StatusForbidden {
			t.Fatal(res.Status, err)
		}
		return d.notice()
	}
	g.blocked(t, "WebSocket", of("/gone"))
	g.asked(t, "WebSocket", notice.Denied, of("/ask"))
	res := handshake("/yes") // this target answers as to any request
	defer res.Body.Close()
	if res.StatusCode == http.StatusForbidden || res.Header.Get("Content-Type") == "application/problem+json" {
		t.Errorf("what was approved: %s", res.Status)
	}
}

func (g *told) mcp(t *testing.T) {
	of := func(tool string, headers ...string) notice.Notice {
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":%q,"arguments":{"n":%d}}}`, tool, len(headers))
		a := ask(t, g.token, "POST", fmt.Sprintf("http://127.0.0.1:%d/mcp", g.ports["web"]), body,
			append(headers, "Content-Type", "application/json", "Accept", "application/json, text/event-stream")...)
		var m struct {
			ID    int
			Error struct {
				Code int
				Data document
			}
		}
		if err := json.Unmarshal([]byte(a.text), &m); err != nil || m.ID != 7 || m.Error.Code != -32003 {
			t.Fatal(a.StatusCode, a.text, err)
		}
		return m.Error.Data.notice()
	}
	g.blocked(t, "MCP", of("drop_all"))
	g.asked(t, "MCP", notice.Denied, of("refund"))
	if held := of("refund", "Prefer", "respond-async"); held.Code != notice.Held || !strings.HasPrefix(held.Hold, "hld_") || held.URL == "" || held.Instead == "" {
		t.Errorf("a client that does not wait is told %+v", held)
	}
}

func (g *told) grpc(t *testing.T) {
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", g.ports["rpc"]), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := healthpb.NewHealthClient(conn)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	in := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+g.token)
	of := func(err error) notice.Notice {
		s := status.Convert(err)
		for _, d := range s.Details() {
			if info, ok := d.(*errdetails.ErrorInfo); ok && info.Domain == "dragoman.dev" && s.Code() == codes.PermissionDenied {
				m := info.Metadata
				if info.Reason != strings.ToUpper(m["code"]) {
					t.Errorf("the reason is %q", info.Reason)
				}
				return notice.Notice{Code: m["code"], Rule: m["rule"], Hold: m["hold"], URL: m["url"], Instead: m["instead"]}
			}
		}
		t.Fatalf("gRPC: %v has no details", err)
		return notice.Notice{}
	}
	watch, err := client.Watch(in, &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	g.blocked(t, "gRPC", of(err))
	_, err = client.Check(in, &healthpb.HealthCheckRequest{})
	g.asked(t, "gRPC", notice.Denied, of(err))
	_, err = client.Check(metadata.AppendToOutgoingContext(in, "prefer", "respond-async"), &healthpb.HealthCheckRequest{Service: "x"})
	if held := of(err); held.Code != notice.Held || !strings.HasPrefix(held.Hold, "hld_") || held.URL == "" || held.Instead == "" {
		t.Errorf("a client that does not wait is told %+v", held)
	}
}
