package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/internal/sys/disk"
)

const cacheHeader = "cvlan map, heard "

// SaveMap keeps the last map and the last time that a controller told, in one write.
func (m *Membership) SaveMap(encoded []byte, heard time.Time) error {
	b := fmt.Appendf(nil, "%s%s\n", cacheHeader, heard.UTC().Format(time.RFC3339))
	return disk.Write(filepath.Join(m.path, cacheFile), append(b, encoded...))
}

// Map returns what SaveMap kept; nothing at all is no error.
func (m *Membership) Map() (encoded []byte, heard time.Time, err error) {
	path := filepath.Join(m.path, cacheFile)
	b, _, err := disk.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	line, encoded, found := bytes.Cut(b, []byte("\n"))
	stamp, ok := bytes.CutPrefix(line, []byte(cacheHeader))
	if found && ok {
		heard, err = time.Parse(time.RFC3339, string(stamp))
	}
	if !found || !ok || err != nil {
		return nil, time.Time{}, fmt.Errorf("read %s: %w", path, disk.ErrDamaged)
	}
	return encoded, heard, nil
}
