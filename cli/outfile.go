package cli

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/cvlan/cvlan/cli/iox"
)

// outFile is a file that only its owner can read, made before there is anything to write: what cannot be written must not cost
// anything. An existing one is replaced only on demand, and then only by the whole new one.
type outFile struct {
	f    *os.File
	path string // where it belongs
}

// openOut makes one.
func openOut(path string, replace bool) (*outFile, error) {
	if !replace {
		f, err := create(path)
		return &outFile{f, path}, err
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &iox.Error{Exit: iox.Invalid, What: "write " + path, Why: "it is not a file", Hint: "name another"}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".cvlan-*") // mode 0600
	if err != nil {
		return nil, readFault("write", path, err)
	}
	return &outFile{f, path}, nil
}

// write makes the content durable and puts it where it belongs.
func (o *outFile) write(b []byte) error {
	_, err := o.f.Write(b)
	if err = errors.Join(err, o.f.Sync(), o.f.Close()); err == nil && o.f.Name() != o.path {
		err = os.Rename(o.f.Name(), o.path)
	}
	if err != nil {
		return readFault("write", o.path, err)
	}
	return nil
}

// discard takes away what openOut made.
func (o *outFile) discard() {
	o.f.Close()
	os.Remove(o.f.Name())
}
