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

// Frames gives every frame of Records, each record's in order.
func Frames(data string, each func(*record.Frame)) error {
	return Records(data, func(r *record.Reader) {
		for {
			f, err := r.Next()
			if err != nil { // its end, or where it is cut off
				return
			}
			each(&f)
		}
	})
}

// Records gives what is a record in any file below a gateway's data folder: those in the audit store, those that are written
// now, and what the killed left behind, which may be cut off.
func Records(data string, each func(*record.Reader)) error {
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
		each(r)
		return nil
	})
}
