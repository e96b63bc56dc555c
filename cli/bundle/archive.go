package bundle

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"time"
)

// File is one file of a bundle.
type File struct {
	Name string // without folders
	Data []byte
}

// Write writes the files as a tar.gz, all in the folder named.
func Write(w io.Writer, folder string, at time.Time, files []File) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: folder + "/" + f.Name, Mode: 0o600, Size: int64(len(f.Data)), ModTime: at, Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.Data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}
