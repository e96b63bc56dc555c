package cli

import (
	"errors"
	"io/fs"
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

// write makes the content durable and puts it where it belongs, or takes the file away.
func (o *outFile) write(b []byte) error {
	_, err := o.f.Write(b)
	if err = errors.Join(err, o.f.Sync(), o.f.Close()); err == nil && o.f.Name() != o.path {
		err = os.Rename(o.f.Name(), o.path)
	}
	if err != nil {
		o.discard()
		return readFault("write", o.path, err)
	}
	return nil
}

// discard takes away what openOut made.
func (o *outFile) discard() {
	o.f.Close()
	os.Remove(o.f.Name())
}

// create makes a file that only its owner can read.
func create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, &iox.Error{Exit: iox.Invalid, What: "write " + path, Why: "the file exists already", Hint: "name another, or delete it"}
	}
	if err != nil {
		return nil, readFault("write", path, err)
	}
	return f, nil
}

// fill writes what content makes to a file, or to standard output if that is "-", or nowhere if it is "". The file is made before content is
// asked for it, and is gone again after a failure: there is the whole file or none.
func (e *Env) fill(path string, replace bool, content func() ([]byte, error)) error {
	var out *outFile
	if path != "" && path != "-" {
		var err error
		if out, err = openOut(path, replace); err != nil {
			return err
		}
	}
	b, err := content()
	switch {
	case err != nil && out != nil:
		out.discard()
		return err
	case err != nil:
		return err
	case out != nil:
		return out.write(b)
	case path == "-":
		_, err = e.IO.Out.Write(b)
	}
	return err
}
