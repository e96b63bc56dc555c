package hostdns

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var (
	ours   = netip.MustParseAddrPort("127.0.67.53:53")
	office = Want{Server: ours, Links: []Link{{Interface: "cvlan0", Search: []string{"office.acme.cvlan.internal"}, Routed: []string{"cvlan.internal", "77.10.in-addr.arpa"}}}}
)

const others = "# by dhcp\nnameserver 192.0.2.1\nsearch example.com\n"

// desk is a host of which only the files are real.
type desk struct {
	*testing.T
	*System
	path, state string
}

func newDesk(t *testing.T, content string) *desk {
	d := &desk{T: t, path: filepath.Join(t.TempDir(), "resolv.conf"), state: t.TempDir()}
	if content != "" {
		d.others(content)
	}
	d.restart()
	return d
}

// restart begins a new process with the same state folder.
func (d *desk) restart() { d.System = New(Options{State: d.state, Path: d.path}) }

func (d *desk) others(content string) {
	d.Helper()
	if err := os.WriteFile(d.path, []byte(content), 0o644); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) set(w Want) State {
	d.Helper()
	s, err := d.Set(w)
	if err != nil || !s.InPlace {
		d.Fatalf("set: %+v, %v", s, err)
	}
	return s
}

func (d *desk) content() string {
	b, _ := os.ReadFile(d.path)
	return string(b)
}

func (d *desk) is(want string) {
	d.Helper()
	if got := d.content(); got != want {
		d.Errorf("resolv.conf is\n%s\nwant\n%s", got, want)
	}
	if _, err := os.Stat(filepath.Join(d.state, JournalName)); err == nil {
		d.Error("the journal is still there")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(d.path), ".cvlan*")); left != nil {
		d.Errorf("there still is %v", left)
	}
}

func TestAFileGetsOurLinesAndLosesThemAgain(t *testing.T) {
	d := newDesk(t, others)
	if err := os.Chmod(d.path, 0o640); err != nil {
		t.Fatal(err)
	}
	s := d.set(office)
	if s.Manager != File || s.Path != d.path || !slices.Equal(s.Upstreams, []netip.Addr{netip.MustParseAddr("192.0.2.1")}) {
		t.Errorf("the host is %+v", s)
	}
	if got := d.content(); !strings.Contains(got, "nameserver 127.0.67.53\n") || !strings.Contains(got, "search example.com office.acme.cvlan.internal\n") {
		t.Errorf("it is\n%s", got)
	}
	if i, err := os.Stat(d.path); err != nil || i.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", i.Mode(), err)
	}
	if s, err := d.Look(office); err != nil || !s.InPlace {
		t.Errorf("a moment later: %+v, %v", s, err)
	}
	d.set(Want{})
	d.is(others)
}

func TestAKilledProcessIsCleanedUpAfter(t *testing.T) {
	d := newDesk(t, others)
	d.set(office)
	d.others(strings.Replace(d.content(), "192.0.2.1", "192.0.2.2", 1)) // somebody edits it meanwhile
	d.restart()
	if err := d.Cleanup(); err != nil {
		t.Fatal(err)
	}
	d.is(strings.Replace(others, "192.0.2.1", "192.0.2.2", 1))
}

func TestADamagedJournalIsNoReasonToLeaveOurLines(t *testing.T) {
	d := newDesk(t, others)
	d.set(office)
	all, _ := filepath.Glob(filepath.Join(d.state, JournalName+"*"))
	for _, f := range all {
		if err := os.WriteFile(f, []byte("noise"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.restart()
	if err := d.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if d.content() != others {
		t.Errorf("it is\n%s", d.content())
	}
}

func TestWhatSomebodyElseWritesIsSeen(t *testing.T) {
	d := newDesk(t, others)
	d.set(office)
	d.others("nameserver 192.0.2.9\n")
	if s, err := d.Look(office); err != nil || s.InPlace {
		t.Fatalf("it looks as if nothing had happened: %+v, %v", s, err)
	}
	if s := d.set(office); !slices.Equal(s.Upstreams, []netip.Addr{netip.MustParseAddr("192.0.2.9")}) {
		t.Errorf("others are asked at %v", s.Upstreams)
	}
	d.set(Want{})
	d.is("nameserver 192.0.2.9\n")
}

func TestAFileThatWasNotThereIsNotThereAfterwards(t *testing.T) {
	d := newDesk(t, "")
	d.set(office)
	if got := d.content(); !strings.Contains(got, "nameserver 127.0.67.53\nnameserver 127.0.0.1\n") {
		t.Errorf("it is\n%s", got)
	}
	d.set(Want{})
	d.is("")
	if _, err := os.Stat(d.path); err == nil {
		t.Error("it is still there")
	}
}

func TestALinkStaysALink(t *testing.T) {
	d := newDesk(t, "")
	real := filepath.Join(filepath.Dir(d.path), "real.conf")
	if err := errors.Join(os.WriteFile(real, []byte(others), 0o644), os.Symlink("real.conf", d.path)); err != nil {
		t.Fatal(err)
	}
	if s := d.set(office); s.Path != real {
		t.Errorf("it is at %s", s.Path)
	}
	if to, err := os.Readlink(d.path); err != nil || to != "real.conf" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	d.set(Want{})
	d.is(others)
	if err := os.Remove(real); err != nil {
		t.Fatal(err)
	}
	d.faults(office, "names-file-unusable")
}

// faults says that a host cannot be made so, and is left as it was.
func (d *desk) faults(w Want, code string) {
	d.Helper()
	before := d.content()
	_, err := d.Set(w)
	if f := (*Fault)(nil); !errors.As(err, &f) || f.Code != code || f.Why == "" || f.Hint == "" {
		d.Errorf("set: %v, want %s", err, code)
	}
	if d.content() != before {
		d.Errorf("it became\n%s", d.content())
	}
}

func TestWhatCannotBeIsSaidAndTouchesNothing(t *testing.T) {
	d := newDesk(t, others)
	d.faults(Want{Server: netip.MustParseAddrPort("127.0.67.53:40001"), Links: office.Links}, "names-port-taken")
	first := d.content()
	d.set(office)
	second := newDesk(t, "")
	second.path = d.path
	second.restart()
	if _, err := second.Set(Want{Server: ours, Links: []Link{{Interface: "cvlan1", Search: []string{"b.acme.cvlan.internal"}}}}); err == nil || !strings.Contains(err.Error(), "another daemon") {
		t.Errorf("a second daemon: %v", err)
	}
	d.set(Want{})
	d.is(first)
	long := newDesk(t, others+strings.Repeat("# noise\n", 16<<10))
	long.faults(office, "names-file-unusable")
}

func TestNoFileIsTouchedWithoutAJournal(t *testing.T) {
	d := newDesk(t, others)
	if err := errors.Join(os.RemoveAll(d.state), os.WriteFile(d.state, nil, 0o600)); err != nil { // a folder that takes no file
		t.Fatal(err)
	}
	if _, err := d.Set(office); err == nil || !strings.Contains(err.Error(), "journal") {
		t.Errorf("set without a journal: %v", err)
	}
	if d.content() != others {
		t.Errorf("it is\n%s", d.content())
	}
}

// TestAMountIsWrittenInPlace: a container engine mounts the file, and a mount cannot be renamed over.
func TestAMountIsWrittenInPlace(t *testing.T) {
	d := newDesk(t, others)
	behind := filepath.Join(t.TempDir(), "behind")
	if err := os.WriteFile(behind, []byte(others), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(behind, d.path, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("needs root for a mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(d.path, unix.MNT_DETACH) })
	d.set(office)
	d.set(Want{})
	d.is(others)
	if err := unix.Mount("", d.path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	d.faults(office, "names-file-unusable")
}
