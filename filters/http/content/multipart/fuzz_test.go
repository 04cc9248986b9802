package multipart

import (
	"bytes"
	"io"
	std "mime/multipart"
	"testing"

	"dragoman.dev/dragoman/filters/http/content/layer"
	"dragoman.dev/dragoman/internal/mask"
)

// keeper gives a part's bytes out as they are, and keeps them.
type keeper struct{ data []byte }

func (k *keeper) Write(dst, piece []byte) ([]byte, error) {
	k.data = append(k.data, piece...)
	return append(dst, piece...), nil
}
func (k *keeper) Close(dst []byte) ([]byte, error) { return dst, nil }
func (k *keeper) Masked() int                      { return 0 }

func run(p *mask.Plan, in []byte, piece int) (out []byte, parts []*keeper, names []string, err error) {
	m, err := New(p, "XX", func(p Part) (layer.Masker, error) {
		parts, names = append(parts, &keeper{}), append(names, p.Name)
		return parts[len(parts)-1], nil
	})
	for len(in) > 0 && err == nil {
		n := min(piece, len(in))
		out, err = m.Write(out, bytes.Clone(in[:n]))
		in = in[n:]
	}
	if err == nil {
		out, err = m.Close(out)
	}
	return out, parts, names, err
}

// In whatever pieces, the same; what we read, mime/multipart reads the same, before and after.
func FuzzMultipart(f *testing.F) {
	for _, s := range []string{"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--XX\r\n\r\n\r\n--XX--\r\n",
		"pre\r\n--XX \t\r\nA: b\r\n\r\n-\r\n--X\r\n--XX-- \r\npost", "--XX--", "--XX\r\n\r\n--XX--"} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		out, parts, _, err1 := run(nil, in, len(in)+1)
		cut, _, _, err2 := run(nil, in, 1+(piece&15))
		if (err1 == nil) != (err2 == nil) || err1 == nil && !bytes.Equal(out, cut) {
			t.Fatalf("in pieces it differs: %q %v, %q %v", out, err1, cut, err2)
		}
		if err1 != nil || len(parts) == 0 {
			return
		}
		for _, body := range [][]byte{in, out} {
			r := std.NewReader(bytes.NewReader(body), "XX")
			for i, p := range parts {
				part, err := r.NextRawPart()
				if err != nil {
					t.Fatalf("%q: part %d: mime/multipart says %v", body, i, err)
				}
				data, err := io.ReadAll(part)
				if err != nil || !bytes.Equal(data, p.data) {
					t.Fatalf("%q: part %d is %q, mime/multipart has %q, %v", body, i, p.data, data, err)
				}
			}
			if _, err := r.NextRawPart(); err != io.EOF {
				t.Fatalf("%q: mime/multipart has more parts: %v", body, err)
			}
		}
	})
}
