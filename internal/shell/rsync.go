package shell

import (
	"regexp"
	"strings"
)

// rsync is judged by its arguments; "--server" is what a client's rsync runs here.
func rsync(a *analysis, name string, args []word) bool {
	server, sender, removes := false, false, false
	for _, w := range args {
		server = server || w.text == "--server"
		sender = sender || w.text == "--sender"
		removes = removes || strings.HasPrefix(w.text, "--remove-s")
	}
	opaque, remote := false, false
	for _, w := range args {
		if len(w.text) < 2 || w.text[0] != '-' {
			continue
		}
		if _, v, ok := strings.Cut(w.text, "="); ok && strings.HasPrefix(v, "/") || rsyncFolder.MatchString(w.text) && v != "" {
			a.unknown(w)
			a.read(v)
			a.write(v)
		}
		if server {
			opaque = opaque || !w.known || !rsyncLetters.MatchString(w.text) && !rsyncServer.MatchString(w.text)
		} else {
			opaque = opaque || !w.known || rsyncRuns(w.text)
		}
	}
	ops, _ := operands(args, "", nil)
	for _, w := range ops {
		if s := w.text; strings.Contains(s, "::") || strings.HasPrefix(s, "rsync://") || strings.Contains(s, ":") && !strings.HasPrefix(s, "/") {
			remote = true
		}
	}
	if remote {
		a.set(FeatureOnward)
	}
	// A server without a path has been told to read its arguments from the connection.
	a.program(name, opaque || remote || server && len(ops) < 2)
	holder := server
	for _, w := range ops {
		a.unknown(w)
		if holder && w.text == "." { // a place holder, not a path
			holder = false
			continue
		}
		if sender || !server {
			a.read(w.place())
		}
		if !sender || removes {
			a.write(w.place())
		}
	}
	return true
}

var (
	// rsyncLetters are options that a client has its server run with: none that reads arguments from the connection (s), and none
	// with a value, but for e, behind whose dot is what the client can do.
	rsyncLetters = regexp.MustCompile(`^-[abcdghiklmnopqrtuvxyzACDEHIJKLNOPRSUWX]+(e[0-9]*\.[A-Za-z]*)?$|^-e[0-9]*\.[A-Za-z]*$`)
	// rsyncServer are its long ones. Folders come as arguments of their own, which are taken for paths.
	rsyncServer = regexp.MustCompile(`^--(server|sender|delete(-before|-during|-delay|-after|-excluded|-missing-args)?|ignore-missing-args|max-delete=-?[0-9]+|` +
		`(max|min)-size=[0-9A-Za-z.+-]+|size-only|ignore-errors|ignore-times|ignore-existing|existing|ignore-non-existing|force|numeric-ids|inplace|append(-verify)?|` +
		`partial|partial-dir|delay-updates|backup|backup-dir|suffix=[A-Za-z0-9._~-]+|temp-dir|(compare|copy|link)-dest|fuzzy|` +
		`remove-source-files|remove-sent-files|compress(-level=[0-9]+|-choice=[a-z0-9]+)?|(old|new)-compress|(checksum|cc|zc|zl)(-choice|-seed)?=[a-z0-9,-]+|checksum-seed=[0-9]+|` +
		`block-size=[0-9]+|bwlimit=[0-9]+|timeout=[0-9]+|modify-window=[0-9]+|safe-links|copy-unsafe-links|munge-links|keep-dirlinks|specials|devices|` +
		`no-[a-z-]+|(only-)?write-batch=X|list-only|stats|mkpath|open-noatime|preallocate|sparse|dirs|from0|use-qsort|hard-links|one-file-system|` +
		`(usermap|groupmap|chown|chmod|iconv|stop-at|stop-after|time-limit|skip-compress|log-format|out-format|info|debug|msgs2stderr|stderr)(=[A-Za-z0-9,:*%+=_. -]*)?|super|fake-super)$`)
	// rsyncFolder are options that name a folder.
	rsyncFolder = regexp.MustCompile(`^--(partial-dir|backup-dir|temp-dir|(compare|copy|link)-dest)=`)
)

// rsyncRuns reports whether an option of an rsync that is run by hand runs something, or has it read what to do.
func rsyncRuns(s string) bool {
	if strings.HasPrefix(s, "--") {
		return s == "--daemon" || abbreviates(s, "--rsh", "--rsync-path", "--remote-option", "--files-from", "--log-file", "--config", "--dparam", "--include-from", "--exclude-from",
			"--filter", "--read-batch", "--write-batch", "--only-write-batch", "--password-file", "--early-input") && len(s) > 4
	}
	return strings.ContainsAny(s, "efTM")
}
