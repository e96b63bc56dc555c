package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADistributionIsReadAsShellsReadIt(t *testing.T) {
	for _, c := range []struct{ text, id, version string }{
		{"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n", "debian", "12"},
		{"ID='rocky'\r\nVERSION_ID='9.4'\r\n", "rocky", "9.4"},
		{"ID=arch\nBUILD_ID=rolling", "arch", ""},
		{"# ID=no\n  ID=alpine  \nVERSION_ID=3.20.1\nVERSION_ID=3.20.2", "alpine", "3.20.2"},
		{`ID="my\"distro"`, `my"distro`, ""},
		{"VERSION_ID=7\n", "linux", "7"},
		{"", "linux", ""},
		{"ID=\"\nVERSION_ID=\\", `"`, `\`},
	} {
		if id, version := distro(c.text); id != c.id || version != c.version {
			t.Errorf("%q: %q %q, want %q %q", c.text, id, version, c.id, c.version)
		}
	}
}

func TestTheFirstReleaseFileThatIsThereCounts(t *testing.T) {
	defer func(was []string) { releases = was }(releases)
	dir := t.TempDir()
	releases = []string{filepath.Join(dir, "none"), filepath.Join(dir, "usr")}
	if s := This(); s.Distro != "" {
		t.Errorf("without a file: %+v", s)
	}
	if err := os.WriteFile(releases[1], []byte("ID=void\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	if s := This(); s != (System{Version: strings.TrimSpace(string(kernel)), Distro: "void"}) {
		t.Errorf("%+v", s)
	}
}
