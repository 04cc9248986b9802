// Package blob keeps bytes by key: the bodies of sessions, while they grow and when they are final.
// It knows nothing of what they hold, so that a wrapper can seal them. blobtest says in full what a
// Store promises; every implementation runs it.
package blob

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
)

// ErrChanged says that a body is not what was written, where a store can tell.
var ErrChanged = errors.New("the body was changed")

// Store keeps bodies. A key is a clean relative path with slashes (ValidKey). It is safe for concurrent
// use; one body grows by one hand at a time. Errors of what is not there, or is there already, are
// fs.ErrNotExist and fs.ErrExist.
type Store interface {
	// Create begins a body that grows.
	Create(ctx context.Context, key string) (Body, error)
	// Append goes on with one.
	Append(ctx context.Context, key string) (Body, error)
	// Put makes a final body of what write gives; it is there whole and safe, or not at all. One that is there is replaced.
	Put(ctx context.Context, key string, write func(io.Writer) error) error
	// Open reads a body of either kind, as far as it is now. One that grows may be read while it does, and read
	// further than Size was.
	Open(ctx context.Context, key string) (Reader, error)
	// Delete removes a body of either kind, if it is there.
	Delete(ctx context.Context, key string) error
	// List calls f for each key that begins with a prefix, in order.
	List(ctx context.Context, prefix string, f func(key string) error) error
}

// Reader reads a body.
type Reader interface {
	io.ReaderAt
	Size() int64
	io.Closer
}

// Body is one that grows. It is one goroutine's.
type Body interface {
	io.ReaderAt
	// Write adds at the end. After an error some of it may be there: see Size.
	io.Writer
	Size() int64
	// Truncate cuts the end off.
	Truncate(size int64) error
	// Sync makes all so far safe: it outlives the machine. What was not synced may be lost with the process.
	Sync(ctx context.Context) error
	// Close does not sync.
	io.Closer
}

// maxKey bounds a key, in bytes.
const maxKey = 512

// ValidKey reports whether stores take a key.
func ValidKey(key string) bool {
	if key == "" || len(key) > maxKey || path.Clean("/"+key) != "/"+key {
		return false
	}
	for _, part := range strings.Split(key, "/") {
		if part == "" || part[0] == '.' {
			return false
		}
	}
	return strings.IndexFunc(key, func(r rune) bool { return r < '!' || r > '~' || r == '\\' }) < 0
}
