package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cvlan/cvlan/internal/sys/disk"
)

const preferencesFile = "preferences.json"

// Preferences is preferences.json: what the machine's owner has set that concerns no single network. Zero values are defaults.
type Preferences struct {
	Schema   int    `json:"schema"`
	LogLevel string `json:"log_level,omitempty"`
}

// Preferences reads them; nothing at all is no error.
func (d *Dir) Preferences() (Preferences, error) {
	path := filepath.Join(d.path, preferencesFile)
	text, _, err := disk.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Preferences{}, nil
	}
	var p Preferences
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	switch {
	case err != nil:
		return Preferences{}, fmt.Errorf("read %s: %w", path, err)
	case p.Schema != schema:
		return Preferences{}, fmt.Errorf("read %s: written by another version of cvland", path)
	}
	return p, nil
}

// SavePreferences keeps them.
func (d *Dir) SavePreferences(p Preferences) error {
	p.Schema = schema
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return disk.Write(filepath.Join(d.path, preferencesFile), text)
}
