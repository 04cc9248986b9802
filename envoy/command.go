package envoy

import (
	"os"
	"os/exec"
	"syscall"
)

// Process is how one Envoy is started.
type Process struct {
	Binary      string   // Ensure
	Bootstrap   string   // path of the bootstrap file
	ModuleDir   string   // where libdragoman.so is
	Env         []string // nodeconfig's variables, NAME=value; they win over what is set here
	Args        []string // more arguments
	Concurrency int      // worker threads; 0 leaves it to Envoy (one a core)
	LogLevel    string   // trace … critical, off; "" is info
}

// Env that every Envoy with our module needs; whoever starts one themselves sets
// the same (docs/decisions/0002-static-tls.md).
const (
	// EnvModules names the folder of libdragoman.so.
	EnvModules = "ENVOY_DYNAMIC_MODULES_SEARCH_PATH"
	// EnvTunables makes room for the thread-local variables of the SQL parser.
	EnvTunables   = "GLIBC_TUNABLES"
	StaticTLS     = "glibc.rtld.optional_static_tls=16384"
	envGoMaxProcs = "GOMAXPROCS"
	// With more Ps than workers, sysmon does not take one back from a worker
	// that is out of Go for a moment.
	goMaxProcs = "4"
)

// Command is not started; child.Start does it so that Envoy does not outlive us.
func (p Process) Command() *exec.Cmd {
	args := []string{"--config-path", p.Bootstrap, "--log-format", logFormat,
		"--disable-hot-restart"}
	if p.LogLevel != "" {
		args = append(args, "--log-level", p.LogLevel)
	}
	if p.Concurrency > 0 {
		args = append(args, "--concurrency", itoa(p.Concurrency))
	}
	cmd := exec.Command(p.Binary, append(args, p.Args...)...)
	cmd.Env = append(os.Environ(),
		EnvModules+"="+p.ModuleDir,
		EnvTunables+"="+StaticTLS,
		envGoMaxProcs+"="+goMaxProcs,
	)
	cmd.Env = append(cmd.Env, p.Env...)
	// A group of its own: Ctrl-C in a terminal is ours to handle, by draining.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}
