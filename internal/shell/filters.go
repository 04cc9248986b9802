package shell

import "strings"

// grep: its first operand is the pattern, unless an option gives one.
func grep(a *analysis, name string, args []word) bool {
	options, ops := getopt(args, "eABCmDdf", "regexp", "file", "after-context", "before-context", "context", "max-count", "devices", "directories",
		"binary-files", "exclude", "exclude-from", "exclude-dir", "include", "label", "pre", "pre-glob", "pager", "hostname-bin", "ignore-file", "path-to-ignore")
	pattern, recursive, opaque := true, name == "rg" || name == "ag", false
	for _, o := range options {
		switch o.name {
		case "e", "regexp":
			pattern = false
		case "f", "file":
			pattern = false
			a.value(o, true, false)
		case "exclude-from", "ignore-file", "path-to-ignore":
			a.value(o, true, false)
		case "r", "R", "recursive", "dereference-recursive", "files":
			recursive = true
		case "d", "directories":
			recursive = recursive || !o.value.known || strings.HasPrefix(o.value.text, "r")
		case "pre", "pager", "hostname-bin", "z", "search-zip": // they run something
			opaque = opaque || name == "rg" || name == "ag"
		}
	}
	a.program(name, opaque)
	for i, w := range ops {
		if pattern && i == 0 {
			continue
		}
		a.unknown(w)
		a.read(w.place())
		recursive = false
	}
	if recursive {
		a.read(".")
	}
	if pattern && len(ops) > 0 && !ops[0].known && !ops[0].glob && ops[0].many { // it may become options, and files
		a.unknown(ops[0])
		a.read(ops[0].place())
	}
	return true
}

// value is the value of an option that names a file.
func (a *analysis) value(o option, reads, writes bool) {
	if !o.has {
		return
	}
	a.unknown(o.value)
	if reads {
		a.read(o.value.place())
	}
	if writes {
		a.write(o.value.place())
	}
}

func sort(a *analysis, name string, args []word) bool {
	options, ops := getopt(args, "ktSTo", "output", "compress-program", "files0-from", "key", "field-separator", "buffer-size", "temporary-directory", "parallel",
		"batch-size", "random-source")
	opaque := false
	for _, o := range options {
		switch o.name {
		case "compress-program", "files0-from":
			opaque = true
		case "o", "output", "T", "temporary-directory":
			a.value(o, false, true)
		case "random-source":
			a.value(o, true, false)
		}
	}
	a.program(name, opaque)
	for _, w := range ops {
		a.unknown(w)
		a.read(w.place())
	}
	return true
}

// tarLong are tar's long options with a value; what runs something is in tarRuns.
var tarLong = strings.Fields("file directory files-from exclude-from listed-incremental blocking-factor starting-file newer after-date newer-mtime tape-length label volno-file " +
	"format mode mtime owner group owner-map group-map exclude exclude-tag sort strip-components suffix transform xform one-top-level index-file record-size occurrence " +
	"pax-option warning to-command checkpoint-action use-compress-program rsh-command rmt-command info-script new-volume-script quoting-style")

var tarRuns = words("to-command checkpoint-action use-compress-program rsh-command rmt-command info-script new-volume-script I F absolute-names P transform xform")

// tar reads and writes what it is told to; its first argument may be options without a dash, whose values follow in turn.
func tar(a *analysis, name string, args []word) bool {
	const takes = "fCTXgbKNLVHFI"
	var values []word
	if len(args) > 0 && args[0].known && args[0].text != "" && args[0].text[0] != '-' {
		first := args[0].text
		args = args[1:]
		var dashed []word
		for i := range len(first) {
			dashed = append(dashed, word{text: "-" + first[i:i+1], known: true})
			if strings.IndexByte(takes, first[i]) >= 0 && len(args) > 0 {
				dashed, args = append(dashed, args[0]), args[1:]
			}
		}
		args = append(dashed, args...)
	}
	options, ops := getopt(args, takes, tarLong...)
	opaque, create, elsewhere := false, false, false
	for _, o := range options {
		opaque = opaque || tarRuns[o.name]
		create = create || o.name == "c" || o.name == "create" || o.name == "r" || o.name == "append" || o.name == "u" || o.name == "update" || o.name == "t" || o.name == "list"
		if at := strings.IndexByte(o.value.text, ':'); (o.name == "f" || o.name == "file") && at > 0 && !strings.Contains(o.value.text[:at], "/") {
			a.set(FeatureOnward)
			opaque = true
		}
		elsewhere = elsewhere || o.name == "C" || o.name == "directory"
		switch o.name {
		case "f", "file", "C", "directory", "T", "files-from", "X", "exclude-from", "g", "listed-incremental", "one-top-level", "index-file", "volno-file", "owner-map", "group-map":
			if o.has {
				values = append(values, o.value)
			}
		}
		if o.name == "T" || o.name == "files-from" { // names that are not in the line
			a.set(FeatureUnknownPath)
			values = append(values, word{text: "?/*"})
		}
	}
	a.program(name, opaque)
	for _, w := range append(values, ops...) {
		if w.text == "-" {
			continue
		}
		a.unknown(w)
		a.read(w.place())
		a.write(w.place()) // an archive, or where it is unpacked to
	}
	if !create && !elsewhere {
		a.write(".")
	}
	return true
}
