package shell

import (
	"regexp"
	"strings"
)

// curl reads what it sends and writes what it gets.
func curl(a *analysis, name string, args []word) bool {
	options, ops := getopt(args, "AbcCdDeEFhHKmoPQrtTuUwxXyYz", "config", "output", "output-dir", "upload-file", "data", "data-binary", "data-raw", "data-ascii", "data-urlencode", "json", "form",
		"form-string", "header", "proxy-header", "cookie", "cookie-jar", "dump-header", "request", "user", "user-agent", "url", "proxy", "proto", "proto-default", "proto-redir", "trace", "trace-ascii", "stderr", "libcurl",
		"etag-save", "etag-compare", "hsts", "alt-svc", "cacert", "capath", "cert", "key", "netrc-file", "write-out", "max-time", "connect-timeout", "retry", "referer", "range", "unix-socket",
		"abstract-unix-socket", "engine", "egd-file", "random-file", "crlfile", "variable", "url-query")
	opaque, named := false, false
	folder := "."
	for _, o := range options {
		switch o.name {
		case "K", "config", "engine", "unix-socket", "abstract-unix-socket":
			opaque = true
		case "url":
			ops = append(ops, o.value)
		case "w", "write-out":
			opaque = opaque || strings.Contains(o.value.text, "%output")
		case "F", "form":
			opaque = opaque || !plainForm.MatchString(o.value.text)
		case "o", "output", "D", "dump-header", "c", "cookie-jar", "trace", "trace-ascii", "stderr", "libcurl", "etag-save":
			if o.value.text != "-" {
				a.value(o, false, true)
			}
		case "hsts", "alt-svc", "T", "upload-file", "b", "cookie", "etag-compare", "netrc-file", "cacert", "capath", "cert", "E", "key", "egd-file", "random-file", "crlfile":
			if o.name != "b" && o.name != "cookie" || !strings.Contains(o.value.text, "=") {
				a.value(o, true, o.name == "hsts" || o.name == "alt-svc")
			}
		case "output-dir":
			folder = o.value.place()
			a.value(o, false, true)
		case "O", "J", "remote-name", "remote-name-all", "remote-header-name":
			named = true
		}
		named = named || strings.HasPrefix(o.name, "remote-")
		// What says which protocols may be meant, or followed to; a name that is made of the pieces of a pattern.
		opaque = opaque || len(o.name) > 1 && strings.HasPrefix(o.name, "proto") || (o.name == "o" || o.name == "output") && strings.Contains(o.value.text, "#") ||
			(o.name == "T" || o.name == "upload-file") && strings.ContainsAny(o.value.text, "{}[]")
		a.sent(o)
	}
	if named {
		a.write(folder)
	}
	for _, w := range ops { // patterns of curl's own, or a path whose letters are hidden
		u := strings.ToLower(w.text)
		opaque = opaque || strings.ContainsAny(u, "{}[]") || strings.HasPrefix(u, "file:") && strings.Contains(u, "%")
	}
	a.program(name, opaque)
	a.urls(ops)
	a.set(FeatureNetwork)
	return true
}

// plainForm is a part of a form with at most one file, whose name is not in quotes.
var plainForm = regexp.MustCompile(`^[^=]*=([^@<;][^;]*|[@<][^;,"]+)?(;(type|filename)=[^;,"@<]*)*$`)

// sent is a file whose content is sent, as -d @file and -F part=@file say it.
func (a *analysis) sent(o option) {
	if !o.value.known && o.has && !o.value.glob {
		a.unknown(o.value)
		a.read(o.value.place())
	}
	for _, mark := range []string{"@", "=<"} {
		if _, f, ok := strings.Cut(o.value.text, mark); ok && f != "" && o.name != "u" && o.name != "user" {
			f, _, _ = strings.Cut(f, ";")
			a.read(f)
		}
	}
	if strings.HasPrefix(o.value.text, "<") {
		a.read(o.value.text[1:])
	}
}

// urls are operands: what is no file of this machine is left alone.
func (a *analysis) urls(ops []word) {
	for _, w := range ops {
		if v, ok := strings.CutPrefix(strings.ToLower(w.text), "file:"); ok {
			a.read("/" + strings.TrimLeft(w.text[len(w.text)-len(v):], "/"))
		}
		if !w.known {
			a.unknown(w)
			a.read(w.place())
		}
		if !strings.Contains(w.text, "://") {
			a.paths([]word{w}, true)
		}
	}
}

// wget writes into the working folder unless it is told otherwise.
func wget(a *analysis, name string, args []word) bool {
	options, ops := getopt(args, "oaeiBtOTwQPUlARDIX", "output-file", "append-output", "execute", "input-file", "base", "tries", "output-document", "timeout", "wait", "quota", "directory-prefix",
		"user-agent", "post-file", "post-data", "body-file", "body-data", "method", "header", "load-cookies", "save-cookies", "ca-certificate", "certificate", "private-key", "config", "use-askpass",
		"warc-file", "warc-tempdir", "warc-dedup", "ca-directory", "crl-file", "random-file", "egd-file", "rejected-log", "hsts-file", "choose-config", "default-page", "user", "password", "limit-rate", "http-user", "http-password", "referer", "pinnedpubkey")
	opaque, folder := false, "."
	for _, o := range options {
		switch o.name {
		case "e", "execute", "config", "use-askpass", "choose-config":
			opaque = true
		case "O", "output-document":
			folder = ""
			if o.value.text != "-" {
				a.value(o, false, true)
			}
		case "spider":
			folder = ""
		case "P", "directory-prefix":
			folder = o.value.place()
		case "o", "output-file", "a", "append-output", "save-cookies", "warc-file", "warc-tempdir", "rejected-log", "hsts-file":
			a.value(o, true, true)
		case "i", "input-file", "post-file", "body-file", "load-cookies", "ca-certificate", "certificate", "private-key", "warc-dedup", "ca-directory", "crl-file", "random-file", "egd-file":
			a.value(o, true, false)
		default:
			a.sent(option{name: "user", value: o.value, has: o.has})
		}
	}
	if folder != "" {
		a.write(folder)
	}
	a.program(name, opaque)
	a.urls(ops)
	a.set(FeatureNetwork)
	return true
}
