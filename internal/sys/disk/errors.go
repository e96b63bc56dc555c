package disk

import (
	"errors"
	"fmt"
	"io/fs"
)

// What callers tell apart. A file that does not exist, in any copy, is fs.ErrNotExist.
var (
	ErrDamaged  = errors.New("every copy is damaged")
	ErrFull     = errors.New("the disk is full")
	ErrReadOnly = errors.New("the disk is read-only")
	ErrUnsafe   = errors.New("others may read or change it")
	ErrTooLarge = errors.New("is too large")
	ErrLocked   = errors.New("is in use by another process")
)

// explain wraps what went wrong with a path so that a person knows what to do, and keeps the cause for errors.Is.
func explain(verb, path string, err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fmt.Errorf("%s %s: %w; free some space there", verb, path, &both{ErrFull, err})
	case isReadOnly(err):
		return fmt.Errorf("%s %s: %w; remount it writable, or choose another folder", verb, path, &both{ErrReadOnly, err})
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s %s: no permission; run as the owner of that folder, usually root: %w", verb, path, cause(err))
	default:
		return fmt.Errorf("%s %s: %w", verb, path, cause(err))
	}
}

// cause strips the path, which explain has named already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// both reads as the first error and is also the second.
type both struct{ says, is error }

func (b *both) Error() string   { return b.says.Error() }
func (b *both) Unwrap() []error { return []error{b.says, b.is} }
