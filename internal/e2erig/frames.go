package e2erig

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/audit"
	"dragoman.dev/dragoman/internal/audit/blob"
	"dragoman.dev/dragoman/internal/envelope"
	"dragoman.dev/dragoman/internal/record"
)

// Frames gives every frame that is in any file below a gateway's data folder: records in the audit store, records that
// are written now, and what the killed left behind, as far as it goes.
func Frames(data string, each func(*record.Frame)) error {
	ring, err := envelope.Open(context.Background(), "file:"+filepath.Join(data, "keys", "bodies.kek"))
	if err != nil {
		return err
	}
	defer ring.Close()
	archive := audit.NewArchive(blob.NewFiles(filepath.Join(data, "audit")), ring)
	return filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() { // files come and go below it
			return nil
		}
		var r *record.Reader
		if key, ok := strings.CutPrefix(path, filepath.Join(data, "audit")+"/"); ok {
			r, err = archive.Open(context.Background(), key)
		} else {
			r, err = record.OpenPath(path)
		}
		if err != nil { // a file of another kind
			return nil
		}
		defer r.Close()
		for {
			f, err := r.Next()
			if err != nil { // its end, or where it is cut off
				return nil
			}
			each(&f)
		}
	})
}
