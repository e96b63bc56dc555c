package desk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// clipboard is nothing to keep: macOS stores the text.
type clipboard struct{}

// Copy puts text into the clipboard.
func (d *Desk) Copy(ctx context.Context, text string) error {
	c := exec.CommandContext(ctx, "/usr/bin/pbcopy")
	c.Stdin = strings.NewReader(text)
	if err := c.Run(); err != nil {
		return fmt.Errorf("copy %s: pbcopy: %w", text, err)
	}
	return nil
}

// Close has nothing to give up.
func (d *Desk) Close() {}

// terminalScript has Terminal run its arguments as one command, each quoted by AppleScript for the shell.
const terminalScript = `on run argv
set line to ""
repeat with a in argv
set line to line & quoted form of a & " "
end repeat
tell application "Terminal"
activate
do script line
end tell
end run`

// Terminal opens the interface for terminals in a window of Terminal.
func (d *Desk) Terminal() error {
	command, err := d.command()
	if err != nil {
		return err
	}
	if err := launch(append([]string{"/usr/bin/osascript", "-e", terminalScript}, command...)); err != nil {
		return fmt.Errorf("open a window with a terminal: %w", err)
	}
	return nil
}

// agentName is the label of the launch agent, and its file's name.
const agentName = "net.cvlan.tray"

// SetAutostart writes or removes this user's launch agent. It counts from the next login on.
func (d *Desk) SetAutostart(on bool) error {
	path, err := agentPath()
	if err != nil {
		return err
	}
	if !on {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("autostart off: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("autostart on: %w", err)
	}
	if err := os.WriteFile(path, []byte(agent(agentName, d.arguments())), 0o644); err != nil {
		return fmt.Errorf("autostart on: %w", err)
	}
	return nil
}

// Autostart reports whether the tray starts when this user logs in.
func (d *Desk) Autostart() bool {
	path, err := agentPath()
	if err != nil {
		return false
	}
	_, err = os.Stat(path)
	return err == nil
}

func agentPath() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("autostart: %w", err)
	}
	return filepath.Join(home, "Library", "LaunchAgents", agentName+".plist"), nil
}

// agent writes the property list of a program that launchd starts in a session with a screen.
func agent(label string, argv []string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + label + `</string>
	<key>ProgramArguments</key>
	<array>
`)
	for _, a := range argv {
		b.WriteString("\t\t<string>" + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(a) + "</string>\n")
	}
	b.WriteString(`	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>LimitLoadToSessionType</key>
	<string>Aqua</string>
	<key>ProcessType</key>
	<string>Interactive</string>
</dict>
</plist>
`)
	return b.String()
}
