package content

import (
	"mime"
	"strings"
)

// kind is how a body is decoded.
type kind uint8

const (
	kindOpaque kind = iota
	kindJSON
	kindLines // JSON documents one after another
	kindForm
	kindEvents
	kindMultipart
	kindMarkup // XML, HTML
	kindText
	kindGRPC
	kindSealed // text to look at, and yet not to be read as it is: base64, containers of text
)

// mediaType is a Content-Type that was read.
type mediaType struct {
	kind    kind
	name    string // in lower case, "" when there is none or it cannot be read
	charset string // in lower case
	params  map[string]string
}

var kinds = map[string]kind{
	"application/json": kindJSON, "text/json": kindJSON, "application/x-json": kindJSON,
	"application/x-ndjson": kindLines, "application/ndjson": kindLines, "application/jsonl": kindLines,
	"application/jsonlines": kindLines, "application/x-jsonlines": kindLines, "application/x-jsonl": kindLines,
	"application/x-www-form-urlencoded": kindForm,
	"text/event-stream":                 kindEvents,
	"application/xml":                   kindMarkup, "text/xml": kindMarkup, "text/html": kindMarkup,
	"application/xml-dtd": kindMarkup, "application/xml-external-parsed-entity": kindMarkup,
	"application/javascript": kindText, "application/ecmascript": kindText, "application/x-javascript": kindText,
	"application/yaml": kindText, "application/x-yaml": kindText, "application/toml": kindText, "application/sql": kindText,
	"application/graphql": kindText, "application/x-sh": kindText, "application/rtf": kindSealed, "text/rtf": kindSealed, "application/pdf": kindSealed,
	"application/postscript": kindSealed, "application/base64": kindSealed, "application/grpc-web-text": kindSealed,
	"application/grpc": kindGRPC, "application/grpc-web": kindGRPC,
}

// unreadable is opaque, but for what has names that masks are about: others may read such a type all the same.
func unreadable(s string) mediaType {
	s = strings.ToLower(s)
	switch {
	case strings.Contains(s, "multipart/"): // without a boundary, and so refused
		return mediaType{kind: kindMultipart}
	case strings.Contains(s, "x-www-form-urlencoded"):
		return mediaType{kind: kindForm}
	}
	return mediaType{}
}

// parseType reads a Content-Type; what cannot be read is opaque.
func parseType(s string) mediaType {
	name, params, err := mime.ParseMediaType(s)
	if err != nil {
		return unreadable(s)
	}
	t := mediaType{name: name, charset: strings.ToLower(params["charset"]), params: params}
	k, known := kinds[name]
	switch {
	case known:
		t.kind = k
	case strings.HasSuffix(name, "+json") && !strings.HasPrefix(name, "application/grpc"):
		t.kind = kindJSON
	case strings.HasSuffix(name, "+xml"):
		t.kind = kindMarkup
	case strings.HasPrefix(name, "application/grpc-web-text"), strings.HasPrefix(name, "message/"),
		strings.HasPrefix(name, "application/pgp-"), strings.HasPrefix(name, "application/pkcs"):
		t.kind = kindSealed
	case strings.HasPrefix(name, "application/grpc+"), strings.HasPrefix(name, "application/grpc-web+"):
		t.kind = kindGRPC
	case strings.HasPrefix(name, "multipart/"):
		t.kind = kindMultipart
	case strings.HasPrefix(name, "text/"):
		t.kind = kindText
	}
	return t
}
