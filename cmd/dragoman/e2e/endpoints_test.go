package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dragoman.dev/dragoman/internal/pgserver"
)

// TestEndpoints has a target with a DNS name and several endpoints: one that
// is dead, two that live. Health checks take the dead one out; when a live one
// stops, sessions go to the other; when none is left, the client hears why.
func TestEndpoints(t *testing.T) {
	one := postgres(t, pgserver.Newest, pgserver.Options{})
	two := postgres(t, pgserver.Newest, pgserver.Options{})
	dead := freePort(t)
	port := freePort(t)
	addresses := fmt.Sprintf("addresses: [\"localhost:%d\", \"127.0.0.1:%d\", \"127.0.0.1:%d\"]", one.Port, two.Port, dead)
	yaml := strings.Replace(target("pg", port, one, "postgres", addresses,
		"health_check: {interval: 200ms, timeout: 1s, healthy: 1, unhealthy: 1}"), "    address: "+one.Addr()+"\n", "", 1)
	g := newGateway(t, setup{
		Config: "targets:\n" + yaml + "policy:\n  dir: policy\n",
		Files:  map[string]string{"pg-password": "postgres\n", "policy/rules.yaml": allowAll},
	}).start()
	p := place{Port: port, User: "agent", Password: g.token("analysts"), Database: "postgres"}

	seen := map[int]bool{}
	waitUntil(t, 60*time.Second, "both live endpoints are used, and never the dead one", func() bool {
		for range 8 {
			n, err := serverPort(p)
			if err != nil {
				return false // the dead endpoint is still in
			}
			seen[n] = true
		}
		return seen[one.Port] && seen[two.Port]
	})
	one.Stop()
	waitUntil(t, 60*time.Second, "sessions go to the endpoint that is left", func() bool {
		for range 4 {
			if n, err := serverPort(p); err != nil || n != two.Port {
				return false
			}
		}
		return true
	})
	two.Stop()
	_, err := serverPort(p)
	if err == nil {
		t.Fatal("a session was opened on nothing")
	}
	t.Logf("no endpoint left: %v", err)
	if strings.Contains(err.Error(), net.JoinHostPort("127.0.0.1", fmt.Sprint(two.Port))) {
		t.Errorf("the target's address reaches the agent: %v", err)
	}
}

// serverPort opens a session and asks which server it is on.
func serverPort(p place) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, p.dsn()+" sslmode=prefer password="+p.Password)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	var n int
	return n, c.QueryRow(ctx, "SELECT inet_server_port()").Scan(&n)
}
