package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"dragoman.dev/dragoman/examples/verify"
	"dragoman.dev/dragoman/internal/httpsuites"
	"dragoman.dev/dragoman/internal/mcpserver"
	"dragoman.dev/dragoman/internal/pgclients"
	"dragoman.dev/dragoman/internal/rdpserver"
)

// runtime is a command and the distribution's package that has it.
type runtime struct{ command, pkg string }

// clusterRuntimes are what a node of Kubernetes is made of, beside what internal/kubecluster builds.
var clusterRuntimes = []runtime{
	{"etcd", "etcd-server"}, {"containerd", "containerd"}, {"runc", "runc"}, {"/usr/lib/cni/ptp", "containernetworking-plugins"},
	{"/bin/busybox", "busybox-static"}, {"iptables", "iptables"}, {"conntrack", "conntrack"},
	{"unshare", "util-linux"}, {"python3", "python3"}, {"pip3", "python3-pip"},
}

// runtimes are the commands that the clients need, and the distribution's package of each.
var runtimes = []runtime{
	{"psql", "postgresql-client"},                                   // the only psql that is built with TLS
	{"/usr/sbin/sshd", "openssh-server"}, {"ssh", "openssh-client"}, // sshd wants to be started by its full path
	{"dbclient", "dropbear-bin"}, {"plink", "putty-tools"}, {"rsync", "rsync"},
	{"mariadb-install-db", "mariadb-server-core"}, {"mariadb", "mariadb-client"}, {"mariadb-dump", "mariadb-client"},
	{"chromium", "chromium"},
	{"curl", "curl"}, {"h2load", "nghttp2-client"}, {"wrk", "wrk"},
	{"python3", "python3"}, {"pip3", "python3-pip"}, {"node", "nodejs"}, {"npm", "npm"}, {"java", "default-jdk-headless"}, {"mvn", "maven"},
}

// ensureRuntimes installs from the distribution what the machine lacks.
func ensureRuntimes(ctx context.Context) error { return ensureCommands(ctx, runtimes) }

func ensureCommands(ctx context.Context, list []runtime) error {
	install := []string{"install", "-y", "-qq", "--no-install-recommends"}
	for _, r := range list {
		path, err := exec.LookPath(r.command)
		if filepath.IsAbs(r.command) { // a library, perhaps
			path = r.command
			_, err = os.Stat(path)
		}
		if err != nil {
			install = append(install, r.pkg)
			continue
		}
		fmt.Println(r.command, path)
	}
	if len(install) == 4 {
		return nil
	}
	for _, args := range [][]string{{"update", "-qq"}, install} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v is missing and apt-get %v failed: %w\n%s", install[4:], args, err, out)
		}
	}
	return nil
}

// ensureClients fetches the client libraries of the tests.
func ensureClients(ctx context.Context, dir string) error {
	for _, c := range []struct {
		name string
		get  func(context.Context, string) (string, error)
	}{{"http-suites", httpsuites.Ensure}, {"python", pgclients.Python}, {"mysql-python", pgclients.MySQLPython}, {"mysql-node", pgclients.MySQLNode}, {"mysql-java", pgclients.MySQLJDBC}, {"node", pgclients.Node}, {"jdbc", pgclients.JDBC}, {"pgbench", pgclients.Pgbench}, {"ssh", pgclients.SSHPython}, {"jsch", pgclients.JSch}, {"verify", verify.Packages}, {"mcp", mcpserver.Ensure}} {
		path, err := c.get(ctx, dir)
		if err != nil {
			return err
		}
		fmt.Println("client", c.name, path)
	}
	return nil
}

// rdpRuntimes are the servers and the client of RDP, and the X programs that are shown with them.
func rdpRuntimes() (list []runtime) {
	for _, p := range rdpserver.Programs {
		list = append(list, runtime{p[0], p[1]})
	}
	return list
}
