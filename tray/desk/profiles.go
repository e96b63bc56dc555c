package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// logins is what cvlan last said of this user's logins to controllers.
type logins struct {
	mu    sync.Mutex
	at    time.Time // when their file was changed
	names []string
	used  string
}

// profileTime bounds what cvlan takes to read or write a small file.
const profileTime = 5 * time.Second

// Profiles lists this user's logins to controllers by name, and says which one commands use. It asks cvlan when their file has changed, so
// that no secret of theirs is ever in this program's memory. What cannot be read is no profile: the commands that need it say why.
func (d *Desk) Profiles() (names []string, used string) {
	l := &d.logins
	l.mu.Lock()
	defer l.mu.Unlock()
	var at time.Time
	if dir, err := os.UserConfigDir(); err == nil {
		if info, err := os.Stat(filepath.Join(dir, "cvlan", "admin.json")); err == nil {
			at = info.ModTime()
		}
	}
	if !at.Equal(l.at) {
		l.at, l.names, l.used = at, nil, ""
		if !at.IsZero() {
			l.names, l.used = d.listProfiles()
		}
	}
	return l.names, l.used
}

func (d *Desk) listProfiles() (names []string, used string) {
	var list struct {
		Profiles []struct {
			Name    string
			Current bool
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), profileTime)
	defer cancel()
	out, err := d.profile(ctx, "list", "--json")
	if err != nil || json.Unmarshal(out, &list) != nil {
		return nil, ""
	}
	for _, p := range list.Profiles {
		names = append(names, p.Name)
		if p.Current {
			used = p.Name
		}
	}
	return names, used
}

// UseProfile makes a login the one that commands use which name none.
func (d *Desk) UseProfile(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, profileTime)
	defer cancel()
	_, err := d.profile(ctx, "use", "--", name)
	return err
}

// profile runs a command of cvlan profile. Its error is what the command says: why, and what to do.
func (d *Desk) profile(ctx context.Context, args ...string) ([]byte, error) {
	path, err := d.program("choose a profile")
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, path, append([]string{"profile"}, args...)...)
	hide(c)
	out, err := c.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) && len(failed.Stderr) > 0 {
		said, hint, _ := strings.Cut(strings.TrimPrefix(string(bytes.TrimSpace(failed.Stderr)), "cvlan: "), "\n")
		return nil, errors.New(strings.TrimSuffix(said+"; "+strings.TrimSpace(hint), "; "))
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s for profiles: %w", path, err)
	}
	return out, nil
}
