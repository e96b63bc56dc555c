//go:build !windows && !darwin

package desk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// entryName is the file of the Desktop Application Autostart Specification.
const entryName = "cvlan-tray.desktop"

// SetAutostart writes or removes this user's entry. One that the system has for everybody is overruled, not touched.
func (d *Desk) SetAutostart(on bool) error {
	path, err := d.entryPath()
	if err != nil {
		return err
	}
	if !on && !d.systemEntry() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("autostart off: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("autostart: %w", err)
	}
	if err := os.WriteFile(path, []byte(entry(d.arguments(), !on)), 0o644); err != nil {
		return fmt.Errorf("autostart: %w", err)
	}
	return nil
}

// Autostart reports whether the tray starts when this user logs in.
func (d *Desk) Autostart() bool {
	path, err := d.entryPath()
	if err != nil {
		return false
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return d.systemEntry()
	}
	return !hidden(b)
}

func (d *Desk) entryPath() (string, error) {
	dir := d.getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // the specification says: then it does not count
		home := d.getenv("HOME")
		if home == "" {
			return "", errors.New("autostart: this user has no home folder; set HOME")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "autostart", entryName), nil
}

// systemEntry reports whether a package starts the tray for every user.
func (d *Desk) systemEntry() bool {
	dirs := d.getenv("XDG_CONFIG_DIRS")
	if dirs == "" {
		dirs = "/etc/xdg"
	}
	for _, dir := range filepath.SplitList(dirs) {
		if b, err := os.ReadFile(filepath.Join(dir, "autostart", entryName)); err == nil {
			return !hidden(b)
		}
	}
	return false
}

func hidden(entry []byte) bool {
	for s := bufio.NewScanner(bytes.NewReader(entry)); s.Scan(); {
		k, v, _ := strings.Cut(s.Text(), "=")
		if strings.TrimSpace(k) == "Hidden" && strings.TrimSpace(v) == "true" {
			return true
		}
	}
	return false
}

// entry writes the file. Hidden says that there is no such program, which overrules a system's entry.
func entry(argv []string, hidden bool) string {
	quoted := make([]string, len(argv))
	for i, a := range argv {
		quoted[i] = quote(a)
	}
	text := "[Desktop Entry]\nType=Application\nName=CloudVLAN\nComment=Private networks in the panel\nExec=" + strings.Join(quoted, " ") +
		"\nTerminal=false\nStartupNotify=false\nX-GNOME-Autostart-enabled=true\n"
	if hidden {
		text += "Hidden=true\n"
	}
	return text
}

// quote writes an argument of Exec: quoted, with what is special in quotes after a backslash, then each backslash twice because the
// value is a string of the file, and percent signs twice because one begins a field code.
func quote(s string) string {
	inner := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`).Replace(s)
	value := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`, "%", "%%").Replace(inner)
	return `"` + value + `"`
}
