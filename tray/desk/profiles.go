package desk

import (
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/api/admin"
)

// logins is what was last read of the file of this user's logins: names, and no secret.
type logins struct {
	mu    sync.Mutex
	at    time.Time // when the file was changed
	names []string
	used  string
}

// Profiles lists this user's logins to controllers by name, and says which one commands use. The file is read when it has changed; one
// that cannot be read has none, and the commands that need it say why.
func (d *Desk) Profiles() (names []string, used string) {
	l := &d.logins
	l.mu.Lock()
	defer l.mu.Unlock()
	path, err := admin.ProfilesPath()
	if err != nil {
		return nil, ""
	}
	info, err := os.Stat(path)
	if err != nil {
		l.at, l.names, l.used = time.Time{}, nil, ""
		return nil, ""
	}
	if at := info.ModTime(); !at.Equal(l.at) {
		l.at, l.names, l.used = at, nil, ""
		if all, err := admin.ReadProfiles(path); err == nil {
			l.names, l.used = slices.Sorted(maps.Keys(all.Logins)), all.Current
		}
	}
	return l.names, l.used
}

// UseProfile makes a login the one that commands use which name none, as cvlan profile use does.
func (d *Desk) UseProfile(name string) error {
	path, err := admin.ProfilesPath()
	if err != nil {
		return err
	}
	return admin.UseProfile(path, name)
}
