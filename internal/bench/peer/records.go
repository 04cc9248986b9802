package peer

import (
	"io/fs"
	"path/filepath"
	"strings"

	"dragoman.dev/dragoman/internal/record"
)

// Records are the files of a dragoman's record.
type Records struct {
	// Live are sessions that have not been sealed; Sealed are those that have.
	Live, Sealed int
	// Bytes of the sealed files.
	Bytes int64
}

// Records looks at the record that the peer has made; others than dragoman have none.
func (p *Peer) Records() (Records, error) {
	var r Records
	if p.data == "" {
		return r, nil
	}
	err := filepath.WalkDir(filepath.Join(p.data, "audit"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // sealing replaces files while we look
		}
		switch {
		case strings.HasSuffix(path, ".live"):
			r.Live++
		case strings.HasSuffix(path, record.SealedExt):
			info, err := d.Info()
			if err != nil {
				return nil
			}
			r.Sealed++
			r.Bytes += info.Size()
		}
		return nil
	})
	return r, err
}
