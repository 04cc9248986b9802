package spdy

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Bounds of a block of headers. Kubernetes has three of a few bytes.
const (
	maxBlock   = 16 << 10 // compressed
	maxHeaders = 32
	maxField   = 4 << 10
)

// dictionary is what compression begins with (draft 3.1, section 2.6.10.1): words with their lengths, then text.
var dictionary = func() []byte {
	words := strings.Fields(`options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow
authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5
content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since
last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer
transfer-encoding upgrade user-agent vary via warning www-authenticate method get status`)
	words = append(words, "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
	var b []byte
	for _, w := range words {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(w))), w...)
	}
	return append(b, "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"+
		"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found"+
		"500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "+
		"Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,"+
		"text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."...)
}()

// compressor makes blocks of headers: uint32 their number, then name and value, each with a uint32 length.
type compressor struct {
	out bytes.Buffer
	z   *zlib.Writer
}

func (c *compressor) block(headers map[string]string) ([]byte, error) {
	c.out.Reset()
	if c.z == nil {
		z, err := zlib.NewWriterLevelDict(&c.out, zlib.BestSpeed, dictionary)
		if err != nil {
			return nil, err
		}
		c.z = z
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(len(headers)))
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		for _, s := range []string{strings.ToLower(name), headers[name]} {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
		}
	}
	if _, err := c.z.Write(b); err != nil {
		return nil, err
	}
	if err := c.z.Flush(); err != nil {
		return nil, err
	}
	return c.out.Bytes(), nil
}

// decompressor reads blocks, which are one compressed stream.
type decompressor struct {
	in bytes.Reader
	z  io.ReadCloser
}

// headers reads a block; names are in lower case. A name that is there twice is an error.
func (d *decompressor) headers(block []byte) (map[string]string, error) {
	d.in.Reset(block)
	if d.z == nil {
		z, err := zlib.NewReaderDict(&d.in, dictionary)
		if err != nil {
			return nil, fmt.Errorf("%w: headers: %w", ErrProtocol, err)
		}
		d.z = z
	}
	n, err := d.number(maxHeaders)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, n)
	for range n {
		name, err := d.field()
		if err != nil {
			return nil, err
		}
		value, err := d.field()
		if err != nil {
			return nil, err
		}
		name = strings.ToLower(name)
		if _, twice := out[name]; twice || name == "" {
			return nil, fmt.Errorf("%w: a header is there twice, or has no name", ErrProtocol)
		}
		out[name] = value
	}
	if d.in.Len() > 0 {
		return nil, fmt.Errorf("%w: headers go on", ErrProtocol)
	}
	return out, nil
}

func (d *decompressor) number(most uint32) (uint32, error) {
	var b [4]byte
	if _, err := io.ReadFull(d.z, b[:]); err != nil {
		return 0, fmt.Errorf("%w: headers: %w", ErrProtocol, err)
	}
	n := binary.BigEndian.Uint32(b[:])
	if n > most {
		return 0, fmt.Errorf("%w: headers are too long", ErrProtocol)
	}
	return n, nil
}

func (d *decompressor) field() (string, error) {
	n, err := d.number(maxField)
	if err != nil {
		return "", err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(d.z, b); err != nil {
		return "", fmt.Errorf("%w: headers: %w", ErrProtocol, err)
	}
	return string(b), nil
}
