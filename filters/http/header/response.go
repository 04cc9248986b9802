package header

import "strings"

// ofDigest reports whether a field is, by its name, a digest of the body as some service has it (x-amz-checksum-sha256,
// x-goog-hash, docker-content-digest): who knows all but one value of a body could find that out by trying.
func ofDigest(name string) bool {
	for _, word := range []string{"checksum", "digest", "md5", "sha1", "sha-1", "sha256", "sha-256", "sha512", "sha-512", "crc32"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasSuffix(name, "-hash") || strings.HasSuffix(name, "-etag")
}

// MapTags replaces entity tags by what f makes of them, and takes out those that it makes "". was is the list before it was
// masked, whose tags are meant. Neither list is changed.
func MapTags(l, was List, f func(tag string) string) List {
	if l.Count("etag") == 0 {
		return l
	}
	out := make(List, 0, len(l))
	for i, field := range l {
		if field.Name == "etag" {
			if field.Value = f(was[i].Value); field.Value == "" {
				continue
			}
		}
		out = append(out, field)
	}
	return out
}

// Response changes the header of a response whose body may come out other than it
// went in: its length, digests and ranges do not hold any more. The list given is not changed.
func Response(l List) List {
	out := make(List, 0, len(l))
	for _, f := range l {
		switch f.Name {
		case "content-length", "accept-ranges", "content-range", "signature", "signature-input":
			continue
		}
		if ofDigest(f.Name) {
			continue
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
