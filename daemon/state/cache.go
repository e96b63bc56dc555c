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

// cacheHeader begins netmap.cache; the rest of the line is a time (RFC 3339), what follows is the map.
const cacheHeader = "cvlan map, heard "

// SaveMap keeps the last map and the last time that a controller told, in one write.
func (m *Membership) SaveMap(encoded []byte, heard time.Time) error {
	return disk.Write(filepath.Join(m.path, cacheFile), encodeMap(encoded, heard))
}

// Map returns what SaveMap kept; nothing at all is no error.
func (m *Membership) Map() (encoded []byte, heard time.Time, err error) {
	path := filepath.Join(m.path, cacheFile)
	b, _, err := disk.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err == nil {
		if encoded, heard, err = parseMap(b); err != nil {
			err = fmt.Errorf("read %s: %w", path, err)
		}
	}
	return encoded, heard, err
}

func encodeMap(encoded []byte, heard time.Time) []byte {
	return append(fmt.Appendf(nil, "%s%s\n", cacheHeader, heard.UTC().Format(time.RFC3339)), encoded...)
}

func parseMap(b []byte) (encoded []byte, heard time.Time, err error) {
	line, encoded, found := bytes.Cut(b, []byte("\n"))
	stamp, ok := bytes.CutPrefix(line, []byte(cacheHeader))
	if !found || !ok {
		return nil, time.Time{}, disk.ErrDamaged
	}
	if heard, err = time.Parse(time.RFC3339, string(stamp)); err != nil {
		return nil, time.Time{}, disk.ErrDamaged
	}
	return encoded, heard.UTC(), nil
}
