package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxSize bounds what Read takes into memory, in bytes. It is far above anything that a node keeps: a netmap with 200,000 peers.
const MaxSize = 256 << 20

// Copy says which of a file's copies was whole.
type Copy string

// The copies, in the order in which Read tries them.
const (
	Main Copy = ""      // the file itself
	Temp Copy = ".tmp"  // a version that was whole but had not taken its place yet
	Prev Copy = ".prev" // the version before
)

// Write replaces the content of a file. When it returns nil the new content survives a power cut; when it returns an error, or
// does not return, Read finds either the old content or the new, whole. The file's mode is 0600.
func Write(path string, content []byte) error {
	if len(content) > MaxSize-sealSize {
		return fmt.Errorf("write %s: %w", path, ErrTooLarge)
	}
	temp := path + string(Temp)
	whole, err := settle(path)
	if err != nil {
		return explain("write", path, err)
	}
	if err := writeDurable(temp, content); err != nil {
		os.Remove(temp)
		return explain("write", path, err)
	}
	if whole { // a damaged main copy must not take the place of a good previous one
		if err := os.Rename(path, path+string(Prev)); err != nil {
			return explain("write", path, err)
		}
	}
	if err := os.Rename(temp, path); err != nil {
		return explain("write", path, err)
	}
	return explain("write", path, syncFolder(filepath.Dir(path)))
}

// settle gives a whole temporary copy, which an interrupted write left and Read may have returned, the place of a main copy that
// is missing or damaged, and reports whether there is a whole main copy then.
func settle(path string) (whole bool, err error) {
	if _, err := readCopy(path); err == nil {
		return true, nil
	}
	if _, err := readCopy(path + string(Temp)); err != nil {
		return false, nil
	}
	return true, os.Rename(path+string(Temp), path)
}

// writeDurable makes a file anew and returns when it is on the disk.
func writeDurable(path string, content []byte) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if _, err := f.Write(seal(content)); err != nil {
		return err
	}
	return f.Sync()
}

// Read returns the content of the newest whole copy and which it was; anything but Main deserves a line in the log. The error is
// fs.ErrNotExist if there is no copy at all, ErrDamaged if none is whole, ErrUnsafe if somebody else may read or write the file.
func Read(path string) ([]byte, Copy, error) {
	found := false
	for _, c := range []Copy{Main, Temp, Prev} {
		content, err := readCopy(path + string(c))
		switch {
		case err == nil:
			return content, c, nil
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, ErrDamaged):
			found = true
		default:
			return nil, c, explain("read", path+string(c), err)
		}
	}
	if !found {
		return nil, Main, fmt.Errorf("read %s: %w", path, fs.ErrNotExist)
	}
	return nil, Main, fmt.Errorf("read %s: %w; restore it from a backup", path, ErrDamaged)
}

// ReadJSON reads a file of JSON into v, and reports whether there is one.
func ReadJSON(path string, v any) (bool, error) {
	b, _, err := Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return true, nil
}

// readCopy returns the content of one copy.
func readCopy(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	if err := private(info); err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(whole) > MaxSize {
		return nil, ErrTooLarge
	}
	content, ok := unseal(whole)
	if !ok {
		return nil, ErrDamaged
	}
	return content, nil
}

// Remove deletes a file with all its copies; it is no error if there is none. The main copy goes last, so that a crash on the way
// never brings an older version back.
func Remove(path string) error {
	for _, c := range []Copy{Prev, Temp, Main} {
		if err := os.Remove(path + string(c)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return explain("remove", path+string(c), err)
		}
	}
	if err := syncFolder(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("remove", path, err)
	}
	return nil
}

// Folder makes a private folder, mode 0700, with those above it, and refuses one that others may write to or read.
func Folder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return explain("make the folder", path, err)
	}
	return Examine(path)
}

// Examine refuses a folder that Folder would refuse, and makes none.
func Examine(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return explain("look at the folder", path, err)
	case !info.IsDir():
		return explain("use the folder", path, errors.New("it is none"))
	}
	return explain("use the folder", path, private(info))
}
