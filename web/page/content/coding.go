package content

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// maxCodings is how many codings of one body are taken off.
const maxCodings = 3

// decode takes content codings off. With an error it gives what there was before that. coded says that there were any.
func decode(encoding string, b []byte) (plain []byte, coded bool, err error) {
	list := strings.Split(encoding, ",")
	if len(list) > maxCodings {
		return nil, true, fmt.Errorf("there are %d", len(list))
	}
	for i := len(list) - 1; i >= 0; i-- { // the last was put on last
		name := strings.ToLower(strings.TrimSpace(list[i]))
		if name == "" || name == "identity" {
			continue
		}
		coded = true
		if b, err = inflate(name, b); err != nil {
			return b, true, err
		}
	}
	return b, coded, nil
}

// inflate takes one coding off, up to maxDecoded bytes.
func inflate(name string, b []byte) ([]byte, error) {
	var r io.Reader
	var err error
	switch name {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(b))
	case "deflate":
		if r, err = zlib.NewReader(bytes.NewReader(b)); err != nil { // as some servers mean it
			r, err = flate.NewReader(bytes.NewReader(b)), nil
		}
	case "br":
		r = brotli.NewReader(bytes.NewReader(b))
	case "zstd":
		d, zerr := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderMaxWindow(8<<20))
		if zerr != nil {
			return nil, zerr
		}
		defer d.Close()
		r = d
	default:
		return nil, fmt.Errorf("%q is not known", name)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxDecoded)) // with an error: what was there before it
}
