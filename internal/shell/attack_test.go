package shell

import (
	_ "embed"
	"slices"
	"strings"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

//go:embed testdata/attacks.txt
var attacks string

// harmless is what a careful rule would let run, on files in /srv only.
var harmless = strings.Fields("ls cat grep head tail wc find echo cd sort env xargs printf awk sed tar cp mv tee git timeout nice nohup command sh bash test [ true : export declare sleep exec builtin time let ln curl wget dd rsync scp trap alias hash eval shuf date who dmesg hostname uniq nm tree dig install file md5sum chmod chown setfacl chattr jq du taskset setarch busybox rev cut uname")

// dangerous are the features that policy blocks by default.
var dangerous = []string{action.FeatureOpaque, action.FeatureDynamic, action.FeatureUnparsed, action.FeatureRole}

// passes reports whether a careful allow rule would let the line run; home says that it has the login's own files, too.
func passes(a action.Action, home bool) bool {
	for _, f := range dangerous {
		if a.Has(f) {
			return false
		}
	}
	for _, f := range a.Functions {
		if !slices.Contains(harmless, f.Name) || f.Opaque {
			return false
		}
	}
	for _, o := range append(slices.Clone(a.Reads), a.Writes...) {
		if (!home || !strings.HasPrefix(o.Name, "~/")) && o.Name != "/srv" && !strings.HasPrefix(o.Name, "/srv/") {
			return false
		}
	}
	return true
}

// TestAttacks: what none of these lines does may be taken for something harmless.
func TestAttacks(t *testing.T) {
	n := 0
	for _, line := range strings.Split(strings.TrimSuffix(attacks, "\n"), "\n") {
		n++
		a := Analyse(action.KindExec, line)
		foreign := strings.Contains(line, "/etc") && line != "cd /etc & cat shadow" // that one reads the login's own
		if passes(a, false) || foreign && passes(a, true) {
			t.Errorf("%q passes: %q, reads %q, writes %q, %v", line, functions(a), names(a.Reads), names(a.Writes), a.Features)
		}
	}
	if n < 1050 {
		t.Errorf("only %d attacks", n)
	}
}

// TestHarmless: ordinary lines pass, or the corpus would prove nothing.
func TestHarmless(t *testing.T) {
	for _, line := range []string{
		"ls -la /srv", "cat /srv/app/log.txt | grep -i error | tail -n 20", "cd /srv && ls", "find /srv -name '*.log'", "sort /srv/f | head -3", "echo hello",
		"grep -rn 'a b' /srv/app", "wc -l /srv/a /srv/b", "sed -n 1,20p /srv/f", "awk '{print $1}' /srv/f", "cp /srv/a /srv/b", "tar czf /srv/a.tgz /srv/app",
		"git status", "timeout 5 ls /srv", "sh -c 'ls /srv'", "for f in a b; do echo x; done", "if test -f /srv/x; then cat /srv/x; fi", "echo a > /srv/out",
		"A=b; echo $A", "echo $((1+2))", "trap 'echo bye' EXIT", "git log --oneline -5",
		"cd /srv && tar czf a.tgz app", "tar -xzf /srv/a.tgz -C /srv/b", "tar tvf /srv/a.tgz", "grep -rn -e x -e y /srv/app", "sort -t, -k2 -u /srv/f", "curl -s http://x | head", "wget -qO- http://x",
		"for i in 1 2 3; do echo $((i+1)); done", "i=0; while [ $i -lt 3 ]; do i=$((i+1)); done", "[[ $# -gt 0 ]] && ls /srv", "echo ${x:0:3} ${#x} ${a[0]} ${a[@]}",
		"for ((i=0;i<3;i++)); do echo $i; done", "head -n 5 /srv/f", "cut -d, -f 1 /srv/f", "cut -d ' ' -f1,2 /srv/f", "tail -f /srv/log", "tail -n +5 /srv/f", "chmod 644 /srv/x", "chmod -R u+x /srv/x",
		"chown a:b /srv/x", "ln -s /srv/a /srv/b", "cd /srv && ln -s a b", "date +%F", "date -d yesterday", "dig example.com", "uniq -c /srv/f", "jq -r .x /srv/f", "sed -i s/a/b/ /srv/f", "sed -n -e 1p -e 2p /srv/f",
		"find /srv -name x | xargs -n 1 echo", "curl -F a=b -F f=@/srv/x http://x", "timeout -s KILL 5 ls /srv", "nice -n 10 ls /srv", "cd /srv && git status", "shuf -n 3 /srv/f", "env -u A B=c ls /srv", "who", "date",
		"cat /srv/app/*.log", "ls /srv/*/log", "cd /srv/app && cd log && cat x", "cd /srv && ls && wc -l x", "rsync -a /srv/a /srv/b", "curl -so /srv/x http://x", "cat /srv/a{1,2}.log",
	} {
		if a := Analyse(action.KindExec, line); !passes(a, false) {
			t.Errorf("%q does not pass: %q, reads %q, writes %q, %v", line, functions(a), names(a.Reads), names(a.Writes), a.Features)
		}
	}
}
