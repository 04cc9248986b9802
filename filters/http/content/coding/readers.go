package coding

import (
	"bufio"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// feed is the compressed body as a reader: where there is nothing yet, it asks
// for the next piece and waits.
type feed struct {
	d    *Decoder
	rest []byte
	end  bool
	quit bool
}

func (f *feed) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.end {
			return 0, io.EOF
		}
		if !f.d.say(event{}) {
			f.quit = true
			return 0, errQuit
		}
		select {
		case piece, more := <-f.d.pieces:
			f.rest, f.end = piece, !more
		case <-f.d.quit:
			f.quit = true
			return 0, errQuit
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// or is errQuit when that is why a library failed, whatever it made of it.
func (f *feed) or(err error) error {
	if f.quit {
		return errQuit
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// drained is an error when there is more behind the end of what was compressed,
// or the end of an outer coding is missing, which an inner one may not have seen.
func (f *feed) drained(outer []io.Reader) error {
	for _, r := range outer {
		var one [1]byte
		if n, err := r.Read(one[:]); n > 0 || err != io.EOF {
			if err == nil {
				err = errors.New("trailing bytes")
			}
			return f.or(err)
		}
	}
	switch {
	case f.quit:
		return errQuit
	case len(f.rest) > 0:
		return errors.New("trailing bytes")
	}
	return nil
}

// readers undoes the codings, the last one first; outer are the readers that r reads from, src apart.
func readers(names []string, src io.Reader) (r io.Reader, outer []io.Reader, closer func(), err error) {
	var closers []func()
	closer = func() {
		for _, c := range closers {
			c()
		}
	}
	r = src
	for i := len(names) - 1; i >= 0; i-- {
		if r != src {
			outer = append(outer, r)
		}
		switch names[i] {
		case "gzip":
			r, err = gzip.NewReader(bufio.NewReader(r))
		case "deflate":
			r, err = inflate(bufio.NewReader(r))
		case "br":
			r = brotli.NewReader(r)
		case "zstd":
			var z *zstd.Decoder
			z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true))
			if err == nil {
				closers = append(closers, z.Close)
				r = z
			}
		}
		if err != nil {
			return nil, nil, closer, err
		}
	}
	return r, outer, closer, nil
}

// inflate takes zlib (RFC 1950), as the coding is defined, or bare deflate, as some servers send.
func inflate(b *bufio.Reader) (io.Reader, error) {
	head, err := b.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0]&0x0F == 8 && head[0]>>4 <= 7 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		z, err := zlib.NewReader(b)
		return only{z, b}, err
	}
	return only{flate.NewReader(b), b}, nil
}

// only is an error when anything is behind the end.
type only struct {
	io.Reader
	src *bufio.Reader
}

func (o only) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	if err != io.EOF {
		return n, err
	}
	switch _, more := o.src.ReadByte(); {
	case more == nil:
		return n, errors.New("trailing bytes")
	case more != io.EOF:
		return n, more
	}
	return n, err
}
