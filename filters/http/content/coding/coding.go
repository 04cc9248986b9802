// Package coding undoes and redoes content codings (RFC 9110, section 8.4.1)
// as a body streams through: gzip, deflate, br, zstd, and two of them at most.
// Memory is bounded by the codings' windows, which are limited; a body that
// grows out of proportion is refused.
package coding

import (
	"strings"

	"dragoman.dev/dragoman/filters/http/content/refusal"
)

// maxCodings bounds how often a body may be coded.
const maxCodings = 2

// Parse reads a Content-Encoding: the codings in the order in which they were
// applied, without identity. One that is not known is an error.
func Parse(header string) ([]string, error) {
	var out []string
	for name := range strings.SplitSeq(header, ",") {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "", "identity":
		case "gzip", "x-gzip":
			out = append(out, "gzip")
		case "deflate", "br", "zstd":
			out = append(out, name)
		default:
			return nil, refusal.New(refusal.Coding, "the content coding is not known here")
		}
	}
	if len(out) > maxCodings {
		return nil, refusal.New(refusal.Coding, "the body is coded more than %d times", maxCodings)
	}
	return out, nil
}

// Windows that a decoder may be asked for, in bytes. RFC 9659 has 8 MiB for zstd in HTTP;
// gzip and deflate have 32 KiB, brotli 16 MiB by their formats.
const zstdWindow = 8 << 20

// Growth that is taken for sane: so many bytes whatever came, and so many times what came.
const (
	freeGrowth   = 4 << 20
	DefaultRatio = 256
)
