package header

import "strings"

// Response changes the header of a response whose body may come out other than it
// went in: its length, digests and ranges do not hold any more, and a strong
// entity tag becomes a weak one. The list given is not changed.
func Response(l List) List {
	out := make(List, 0, len(l))
	for _, f := range l {
		switch f.Name {
		case "content-length", "content-md5", "digest", "content-digest", "repr-digest", "accept-ranges", "content-range", "signature", "signature-input":
			continue
		case "etag":
			if len(f.Value) > 1 && f.Value[0] == '"' {
				f.Value = "W/" + f.Value
			}
		}
		out = append(out, f)
	}
	return out
}

// Request takes from a request's header what would let a response get round its
// masks: ranges, extensions of WebSocket that compress, and codings that are not
// known here. Call it when the plan asks anything of content.
func Request(l List) List {
	out := make(List, 0, len(l))
	for _, f := range l {
		switch f.Name {
		case "range", "if-range", "sec-websocket-extensions", "want-digest", "want-repr-digest", "want-content-digest", "a-im":
			continue
		case "accept-encoding":
			f.Value = knownCodings(f.Value)
		}
		out = append(out, f)
	}
	return out
}

// knownCodings keeps of an Accept-Encoding what is decoded here; "*" would mean any.
func knownCodings(s string) string {
	var keep []string
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		name, _, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip", "br", "zstd", "deflate", "identity":
			keep = append(keep, item)
		}
	}
	if len(keep) == 0 {
		return "identity"
	}
	return strings.Join(keep, ", ")
}
