package shell

import (
	"slices"
	"testing"

	"dragoman.dev/dragoman/internal/action"
)

func names(o []action.Object) (out []string) {
	for _, x := range o {
		out = append(out, x.Name)
	}
	return out
}

func functions(a action.Action) (out []string) {
	for _, f := range a.Functions {
		out = append(out, f.Name)
	}
	return out
}

func TestAnalyse(t *testing.T) {
	for _, c := range []struct {
		line                    string
		programs, reads, writes []string
		features, without       []string
	}{
		{line: "ls -l /var/log", programs: []string{"ls"}, reads: []string{"/var/log"}, without: []string{action.FeatureOpaque}},
		{line: "cat /etc/passwd | grep root > out.txt", programs: []string{"cat", "grep"}, reads: []string{"/etc/passwd"}, writes: []string{"~/out.txt"},
			features: []string{FeaturePipe, FeatureRedirect, action.FeatureMulti}},
		{line: "cd /etc && cat ../etc/./shadow", programs: []string{"cd", "cat"}, reads: []string{"/etc/shadow"}},
		{line: "(cd /etc); cat x", programs: []string{"cd", "cat"}, reads: []string{"~/x"}},
		{line: "/bin/rm -rf /tmp/x", programs: []string{"rm"}, writes: []string{"/tmp/x"}},
		{line: "./ls", programs: []string{"./ls"}, features: []string{action.FeatureOpaque}},
		{line: "sh -c 'rm -rf /x; id'", programs: []string{"sh", "rm", "id"}, writes: []string{"/x"}, without: []string{action.FeatureOpaque}},
		{line: "sudo -u www env A=b rm x", programs: []string{"sudo", "env", "rm"}, writes: []string{"~/x"}, features: []string{action.FeatureRole}},
		{line: "find /srv -name '*.tmp' -exec rm {} +", programs: []string{"find", "rm"}, reads: []string{"/srv"}, writes: []string{"?/*", "/srv/**"}},
		{line: "cp a b /dst", programs: []string{"cp"}, reads: []string{"~/a", "~/b"}, writes: []string{"/dst"}},
		{line: "echo $(cat /etc/shadow)", programs: []string{"cat", "echo"}, reads: []string{"/etc/shadow"}, features: []string{FeatureSubstitution}},
		{line: "tail -n 5 {/var/log/a,/var/log/b}", programs: []string{"tail"}, reads: []string{"/var/log/a", "/var/log/b"}},
		{line: "sed -n 1,20p f", programs: []string{"sed"}, reads: []string{"~/f"}, without: []string{action.FeatureOpaque}},
		{line: "sed -i s/a/b/ f", programs: []string{"sed"}, reads: []string{"~/f"}, writes: []string{"~/f"}, without: []string{action.FeatureOpaque}},
		{line: "awk '{print $1}' f", programs: []string{"awk"}, reads: []string{"~/f"}, without: []string{action.FeatureOpaque}},
		{line: "rsync --server --sender -logDtpre.iLsfxCIvu . /srv/data", programs: []string{"rsync"}, reads: []string{"/srv/data"}, without: []string{action.FeatureOpaque}},
		{line: "rsync --server -logDtpre.iLsfxCIvu . /srv/data", programs: []string{"rsync"}, writes: []string{"/srv/data"}, without: []string{action.FeatureOpaque}},
		{line: "rsync --server --sender --remove-source-files -logDtpre.iLsfxCIvu . /srv/a", programs: []string{"rsync"}, reads: []string{"/srv/a"}, writes: []string{"/srv/a"}, without: []string{action.FeatureOpaque}},
		{line: "rsync --server -bvlogDtpre.iLsfxCIvu --delete --backup-dir /srv/old . /srv/a", programs: []string{"rsync"}, writes: []string{"/srv/old", "/srv/a"}, without: []string{action.FeatureOpaque}},
		{line: "rsync --server --sender -se.LsfxCIvu", programs: []string{"rsync"}, features: []string{action.FeatureOpaque}},
		{line: "scp -t /srv/x", programs: []string{"scp"}, writes: []string{"/srv/x"}, without: []string{action.FeatureOpaque}},
		{line: "for i in 1 2; do uptime; done", programs: []string{"uptime"}, features: []string{FeatureControl}},
		{line: "git status", programs: []string{"git"}, without: []string{action.FeatureOpaque}},
		{line: "tar czf /tmp/a.tgz /srv", programs: []string{"tar"}, writes: []string{"/tmp/a.tgz", "/srv"}, reads: []string{"/tmp/a.tgz", "/srv"}, without: []string{action.FeatureOpaque}},
		{line: "", programs: nil},
		{line: "ls 'unclosed", features: []string{action.FeatureUnparsed}},
		{line: "echo a \\\r\nrm -rf /", features: []string{action.FeatureUnparsed}},
	} {
		a := Analyse(action.KindExec, c.line)
		if !slices.Equal(functions(a), c.programs) || !slices.Equal(names(a.Reads), c.reads) || !slices.Equal(names(a.Writes), c.writes) {
			t.Errorf("%q: programs %q, reads %q, writes %q", c.line, functions(a), names(a.Reads), names(a.Writes))
		}
		for _, f := range c.features {
			if !a.Has(f) {
				t.Errorf("%q: no %s in %v", c.line, f, a.Features)
			}
		}
		for _, f := range c.without {
			if a.Has(f) {
				t.Errorf("%q: %s", c.line, f)
			}
		}
	}
}

func FuzzAnalyse(f *testing.F) {
	for _, s := range []string{"ls", "a|b", "$(", "find . -exec {} ;", "sh -c 'x'", "cat <<E\nx\nE", "((a[$(x)]))", "{a,b}{c,d}", "case x in y) z;; esac"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := Analyse(action.KindShell, s)
		if len(a.Verbs) == 0 || a.Features == nil {
			t.Error("no verbs")
		}
	})
}
