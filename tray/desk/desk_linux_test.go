package desk

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// home is a user's desktop in a folder, with programs that write down how they were called.
func home(t *testing.T, env map[string]string, programs ...string) (*Desk, string) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		script := "#!/bin/sh\n{ for a in \"" + p + "\" \"$@\"; do printf '%s\\n' \"$a\"; done; [ " + p + " = wl-copy ] && cat; } > " + dir + "/called.new; mv " + dir + "/called.new " + dir + "/called\n"
		if err := os.WriteFile(filepath.Join(bin, p), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	all := map[string]string{"HOME": dir, "XDG_CONFIG_DIRS": filepath.Join(dir, "xdg")}
	for k, v := range env {
		all[k] = v
	}
	return &Desk{exe: filepath.Join(bin, "cvlan-tray"), getenv: func(k string) string { return all[k] }}, dir
}

// called waits for a program to write down its command line.
func called(t *testing.T, dir string) string {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if b, err := os.ReadFile(filepath.Join(dir, "called")); err == nil {
			return strings.ReplaceAll(strings.TrimSuffix(string(b), "\n"), "\n", "|")
		}
	}
	t.Fatal("nothing was called")
	return ""
}

func TestTheTerminalOfThePersonComesFirst(t *testing.T) {
	d, dir := home(t, map[string]string{"TERMINAL": "myterm"}, "myterm", "xdg-terminal-exec", "cvlan")
	d.socket = "/tmp/s"
	if err := d.Terminal(); err != nil {
		t.Fatal(err)
	}
	if got, want := called(t, dir), "myterm|-e|"+dir+"/bin/cvlan|tui|--socket|/tmp/s"; got != want {
		t.Errorf("called %s, not %s", got, want)
	}
}

func TestATerminalThatIsInstalledIsFound(t *testing.T) {
	d, dir := home(t, map[string]string{"TERMINAL": "gone"}, "xdg-terminal-exec", "cvlan")
	if err := d.Terminal(); err != nil {
		t.Fatal(err)
	}
	if got, want := called(t, dir), "xdg-terminal-exec|"+dir+"/bin/cvlan|tui"; got != want {
		t.Errorf("called %s, not %s", got, want)
	}
}

func TestWithoutATerminalOrCvlanItIsSaid(t *testing.T) {
	d, dir := home(t, nil)
	t.Setenv("PATH", dir)
	if err := d.Terminal(); err == nil || !strings.Contains(err.Error(), "cvlan") {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "cvlan"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.Terminal(); err == nil || !strings.Contains(err.Error(), "; set TERMINAL") {
		t.Error(err)
	}
}

func TestAWaylandDesktopCopiesByItsProgram(t *testing.T) {
	d, dir := home(t, map[string]string{"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":99"}, "wl-copy")
	if err := d.Copy(t.Context(), "10.90.0.2"); err != nil {
		t.Fatal(err)
	}
	if got := called(t, dir); got != "wl-copy|10.90.0.2" {
		t.Error(got)
	}
}

func TestWithoutADisplayNothingIsCopied(t *testing.T) {
	d, dir := home(t, nil)
	t.Setenv("PATH", dir)
	if err := d.Copy(t.Context(), "x"); err == nil {
		t.Error("it was copied")
	}
	d.getenv = func(k string) string { return map[string]string{"WAYLAND_DISPLAY": "wayland-0"}[k] }
	if err := d.Copy(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "; install wl-clipboard") {
		t.Error(err)
	}
}

func TestAutostartOfAUser(t *testing.T) {
	d, dir := home(t, nil)
	d.exe, d.socket = `/opt/my "tools"/100%$/cvlan-tray`, "/tmp/s"
	file := filepath.Join(dir, ".config", "autostart", entryName)
	if d.Autostart() {
		t.Error("on at first")
	}
	for range 2 {
		if err := d.SetAutostart(true); err != nil || !d.Autostart() {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := `Exec="/opt/my \\"tools\\"/100%%\\$/cvlan-tray" "--wait" "2m" "--socket" "/tmp/s"` + "\n"; !strings.Contains(string(b), want) {
		t.Errorf("got\n%s", b)
	}
	for range 2 {
		if err := d.SetAutostart(false); err != nil || d.Autostart() {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file stays")
	}
}

func TestAutostartOfTheSystemIsOverruled(t *testing.T) {
	d, dir := home(t, nil)
	system := filepath.Join(dir, "xdg", "autostart")
	if err := os.MkdirAll(system, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(system, entryName), []byte(entry([]string{"x"}, false)), 0o644); err != nil {
		t.Fatal(err)
	}
	if !d.Autostart() {
		t.Error("the system's entry does not count")
	}
	if err := d.SetAutostart(false); err != nil || d.Autostart() {
		t.Error(err)
	}
	if err := d.SetAutostart(true); err != nil || !d.Autostart() {
		t.Error(err)
	}
}

func TestAFolderThatCannotBeWrittenIsSaid(t *testing.T) {
	d, dir := home(t, nil)
	if err := os.WriteFile(filepath.Join(dir, ".config"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.SetAutostart(true); err == nil || d.Autostart() {
		t.Error(err)
	}
	d.getenv = func(string) string { return "" }
	if err := d.SetAutostart(true); err == nil || !strings.Contains(err.Error(), "set HOME") {
		t.Error(err)
	}
}

func TestProfilesAreAskedForWhenTheirFileChanges(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	d, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	d.exe = filepath.Join(home, "cvlan-tray")
	file := filepath.Join(home, ".config/cvlan/admin.json")
	put := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), mode)); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(home, "cvlan"), `#!/bin/sh
echo "$@" >>`+home+`/called
case "$2 $4" in
"list ") echo '{"schema":1,"profiles":[{"name":"home","current":true},{"name":"work","controller":["vpn.example.com:8443"]}]}' ;;
"use gone") printf 'cvlan: use profile gone: there is none of that name\n  see which there are: cvlan profile list\n' >&2; exit 9 ;;
esac
`, 0o755)
	if names, used := d.Profiles(); len(names) != 0 || used != "" {
		t.Error("nobody logged in:", names, used)
	}
	put(file, "{}", 0o600)
	for range 3 {
		if names, used := d.Profiles(); !slices.Equal(names, []string{"home", "work"}) || used != "home" {
			t.Error(names, used)
		}
	}
	if err := d.UseProfile(t.Context(), "work"); err != nil {
		t.Error(err)
	}
	if err := d.UseProfile(t.Context(), "gone"); err == nil || err.Error() != "use profile gone: there is none of that name; see which there are: cvlan profile list" {
		t.Error(err)
	}
	if b, _ := os.ReadFile(filepath.Join(home, "called")); string(b) != "profile list --json\nprofile use -- work\nprofile use -- gone\n" {
		t.Error(string(b))
	}
}
