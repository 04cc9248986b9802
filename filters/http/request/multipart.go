package request

import (
	"bytes"
	"mime"
	"strings"

	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/filters/http/content/multipart"
	"dragoman.dev/dragoman/internal/action"
)

// multipart reads the fields of a multipart/form-data body. Its parsers differ more than
// others do, so only the plain form that browsers and curl send is read: anything
// else is opaque. A file's field has the file's name as value; what is in files is not judged.
func (b *Body) multipart(body []byte, boundary string, lim Limits) {
	b.Features["body"] = "multipart"
	delim := []byte("--" + boundary)
	end := append([]byte("\r\n"), append(bytes.Clone(delim), "--"...)...)
	plain := boundary != "" && strings.Trim(boundary, "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" &&
		bytes.HasPrefix(body, delim) && bytes.HasSuffix(bytes.TrimSuffix(body, []byte("\r\n")), end)
	if !plain {
		b.Features[action.FeatureOpaqueBody] = true
		return
	}
	var parts []*part
	m, err := multipart.New(nil, boundary, func(p multipart.Part) (layer.Masker, error) {
		parts = append(parts, &part{head: p})
		return parts[len(parts)-1], nil
	})
	if err == nil {
		_, err = m.Write(nil, body)
	}
	if err == nil {
		_, err = m.Close(nil)
	}
	switch {
	case err != nil:
		b.Features[action.FeatureUnparsed] = true
		return
	case len(parts) > lim.Params:
		b.Features[action.FeatureBodyTooLarge] = true
		return
	}
	for _, p := range parts {
		if p.head.Name == "" || p.head.Encoding != "" || p.head.Extended || !plainText(p.head.Type) || strings.ContainsAny(p.head.Name, "\"\\\r\n\x00") {
			b.Features[action.FeatureOpaqueBody] = true
			return
		}
		value := string(p.data)
		if p.head.Filename != "" {
			value = p.head.Filename
			b.Features["files"] = true
		}
		b.Fields = append(b.Fields, Pair{p.head.Name, value})
	}
	b.overrides()
}

// plainText reports whether what is in a part is not in another character encoding.
func plainText(contentType string) bool {
	if contentType == "" {
		return true
	}
	_, params, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(params["charset"])
	return err == nil && (charset == "" || charset == "utf-8" || charset == "us-ascii")
}

// part keeps what is in a part.
type part struct {
	head multipart.Part
	data []byte
}

func (p *part) Write(dst, piece []byte) ([]byte, error) {
	p.data = append(p.data, piece...)
	return dst, nil
}

func (p *part) Close(dst []byte) ([]byte, error) { return dst, nil }
func (p *part) Masked() int                      { return 0 }
