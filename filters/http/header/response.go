package header

import "strings"

// ofDigest reports whether an entity tag may be a digest of the body, as those of many frameworks are: who knows all but
// one value of a body could find that out by trying, here or with If-None-Match.
func ofDigest(tags string) bool {
	const short = 20 // 16 hexadecimal digits are a time and a size for nginx
	n := 0
	for i := 0; i < len(tags) && n < short; i++ {
		switch b := tags[i]; {
		case b >= '0' && b <= '9', b|0x20 >= 'a' && b|0x20 <= 'z', b == '+', b == '/', b == '_', b == '=':
			n++
		default:
			n = 0
		}
	}
	return n >= short
}

// Response changes the header of a response whose body may come out other than it
// went in: its length, digests and ranges do not hold any more, a strong
// entity tag becomes a weak one, and one that looks like a digest goes. The list given is not changed.
func Response(l List) List {
	out := make(List, 0, len(l))
	for _, f := range l {
		switch f.Name {
		case "content-length", "content-md5", "digest", "content-digest", "repr-digest", "accept-ranges", "content-range", "signature", "signature-input":
			continue
		case "etag":
			if ofDigest(f.Value) {
				continue
			}
			if len(f.Value) > 1 && f.Value[0] == '"' {
				f.Value = "W/" + f.Value
			}
		}
		out = append(out, f)
	}
	return out
}

// Request takes from a request's header what would let a response get round its
// masks: ranges, entity tags that are digests, extensions of WebSocket that compress, and codings that are not
// known here. Call it when the plan asks anything of content.
func Request(l List) List {
	out := make(List, 0, len(l))
	for _, f := range l {
		switch f.Name {
		case "range", "if-range", "sec-websocket-extensions", "want-digest", "want-repr-digest", "want-content-digest", "a-im":
			continue
		case "if-none-match":
			if ofDigest(f.Value) {
				continue
			}
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
