package disk

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Lock is the exclusive use of a folder or whatever else the file stands for. The system releases it when the process ends, however
// that happens; the file itself stays.
type Lock struct{ f *os.File }

// Acquire takes the lock, or tells who has it: ErrLocked.
func Acquire(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, explain("lock", path, err)
	}
	taken, err := tryLock(f)
	if err != nil {
		f.Close()
		return nil, explain("lock", path, err)
	}
	if !taken {
		defer f.Close()
		return nil, fmt.Errorf("lock %s: %w%s; stop that one first", path, ErrLocked, holder(f))
	}
	l := &Lock{f}
	l.sign()
	return l, nil
}

// sign leaves our process number for whoever comes second. A disk too full for it does not cost us the lock.
func (l *Lock) sign() {
	if l.f.Truncate(0) == nil {
		l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.f.Close() }

// holder reads who signed a lock file.
func holder(f *os.File) string {
	b, _ := io.ReadAll(io.LimitReader(f, 20))
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		return ""
	}
	return fmt.Sprintf(" (number %d)", pid)
}
