package blob_test

import (
	"testing"

	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/audit/blob/blobtest"
)

func TestFiles(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) (blob.Store, func() blob.Store) {
		dir := t.TempDir()
		return blob.NewFiles(dir), func() blob.Store { return blob.NewFiles(dir) }
	})
}
