package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/cvlan/cvlan/internal/base/ticket"
)

// profilesSchema is the version of the login file's layout.
const profilesSchema = 1

// ErrNoLogin is what reading a login wraps when there is none.
var ErrNoLogin = errors.New("not logged in")

// Profile is one login: an admin key under a name.
type Profile struct {
	Ticket string `json:"ticket"`           // the whole admin key, secret included
	Tenant string `json:"tenant,omitempty"` // what commands act on unless told otherwise
}

// Profiles is a person's login file. It holds secrets, so only its owner may read it.
type Profiles struct {
	Schema  int                `json:"schema"`
	Current string             `json:"current,omitempty"`
	Logins  map[string]Profile `json:"logins"`
	path    string
}

// ProfilesPath returns where the login file is: admin.json in the folder cvlan of the user's configuration.
func ProfilesPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the login file: %w; set HOME", err)
	}
	return filepath.Join(dir, "cvlan", "admin.json"), nil
}

// ReadProfiles reads a login file; one that does not exist is empty. It refuses a file that others may read.
func ReadProfiles(path string) (*Profiles, error) {
	p := &Profiles{Schema: profilesSchema, Logins: map[string]Profile{}, path: path}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the login file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read the login file: others may read %s, which holds secrets: close it with `chmod 600`, and make new keys if somebody did", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the login file: %w", err)
	}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("read the login file %s: it is damaged: %w; delete it and log in again", path, err)
	}
	if p.Schema > profilesSchema {
		return nil, fmt.Errorf("read the login file %s: it was written by a newer version of cvlan", path)
	}
	if p.Logins == nil {
		p.Logins = map[string]Profile{}
	}
	return p, nil
}

// Ticket returns a login's name, admin key and profile. An empty name asks for the current one.
func (p *Profiles) Ticket(name string) (string, ticket.Ticket, Profile, error) {
	if name == "" {
		name = p.Current
	}
	l, ok := p.Logins[name]
	if !ok {
		return name, ticket.Ticket{}, l, ErrNoLogin
	}
	t, err := ticket.Parse(ticket.Admin, l.Ticket)
	return name, t, l, err
}

// Write replaces the file in one step: a reader sees the old one or the new one.
func (p *Profiles) Write() error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err == nil {
		err = p.replace(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the login file: %w", err)
	}
	return nil
}

func (p *Profiles) replace(b []byte) error {
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(p.path), ".admin-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
