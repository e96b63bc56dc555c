package hostdns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

// resolved is a systemd-resolved of a bus of its own: it keeps what it is told of one interface.
type resolved struct {
	*testing.T
	address string
	conn    *dbus.Conn
	props   *prop.Properties

	mu   sync.Mutex
	old  bool // of before systemd 246
	told []string
}

// newResolved begins one, and skips the story where there is no dbus-daemon.
func newResolved(t *testing.T) *resolved {
	path, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("SKIPPED: no story of systemd-resolved without dbus-daemon; install the package dbus")
	}
	bus := exec.Command(path, "--session", "--nofork", "--nopidfile", "--print-address=1", "--address=unix:path="+filepath.Join(t.TempDir(), "b"))
	out, err := bus.StdoutPipe()
	if err := errors.Join(err, bus.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Process.Kill(); _ = bus.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	r := &resolved{T: t, address: strings.TrimSpace(line)}
	r.come()
	return r
}

func (r *resolved) come() {
	r.Helper()
	var err error
	if r.conn, err = dbus.Connect(r.address); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = r.conn.Close() })
	r.props, err = prop.Export(r.conn, "/link", prop.Map{resolvedName + ".Link": {
		"DNS":     {Value: []linkServerShort{}, Writable: true},
		"Domains": {Value: []linkDomain{}, Writable: true},
	}})
	if err := errors.Join(err, r.conn.Export((*resolvedBus)(r), resolvedPath, resolvedName+".Manager")); err != nil {
		r.Fatal(err)
	}
	if _, err := r.conn.RequestName(resolvedName, dbus.NameFlagDoNotQueue); err != nil {
		r.Fatal(err)
	}
}

type linkServerShort struct {
	Family  int32
	Address []byte
}

// resolvedBus are its methods.
type resolvedBus resolved

func (r *resolvedBus) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, fmt.Sprintf(format, args...))
}

func (r *resolvedBus) put(name string, v any) { r.props.SetMust(resolvedName+".Link", name, v) }

func (r *resolvedBus) SetLinkDNSEx(index int32, all []linkServer) *dbus.Error {
	r.mu.Lock()
	old := r.old
	r.mu.Unlock()
	if old {
		return dbus.NewError(unknown, nil)
	}
	r.note("dns %d %v", index, all)
	r.put("DNS", []linkServerShort{{all[0].Family, all[0].Address}})
	return nil
}

func (r *resolvedBus) SetLinkDNS(index int32, all []linkServerShort) *dbus.Error {
	r.note("old dns %d %v", index, all)
	r.put("DNS", all)
	return nil
}

func (r *resolvedBus) SetLinkDomains(index int32, all []linkDomain) *dbus.Error {
	r.note("domains %d %v", index, all)
	r.put("Domains", all)
	return nil
}

func (r *resolvedBus) SetLinkDefaultRoute(index int32, on bool) *dbus.Error {
	r.note("default %d %v", index, on)
	return nil
}

func (r *resolvedBus) GetLink(int32) (dbus.ObjectPath, *dbus.Error) { return "/link", nil }

func (r *resolvedBus) RevertLink(index int32) *dbus.Error {
	r.note("revert %d", index)
	r.put("DNS", []linkServerShort{})
	r.put("Domains", []linkDomain{})
	return nil
}

func (r *resolved) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

// newResolvedDesk is a host on which systemd-resolved decides.
func newResolvedDesk(t *testing.T) (*desk, *resolved) {
	r := newResolved(t)
	d := newDesk(t, "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n")
	d.System = New(Options{State: d.state, Path: d.path, Bus: func(context.Context) (*dbus.Conn, error) { return dbus.Connect(r.address) }})
	return d, r
}

// onLoopback has an interface that every host has.
var onLoopback = Want{Server: ours, Links: []Link{{Interface: "lo", Search: []string{"office.acme.cvlan.internal"}, Routed: []string{"cvlan.internal"}}}}

func TestResolvedIsToldOfTheInterfaceAndNoFileIsTouched(t *testing.T) {
	d, r := newResolvedDesk(t)
	before := d.content()
	s := d.set(onLoopback)
	if s.Manager != Resolved || len(s.Upstreams) > 0 {
		t.Errorf("the host is %+v", s)
	}
	want := []string{"dns 1 [{2 [127 0 67 53] 0 }]", "domains 1 [{office.acme.cvlan.internal false} {cvlan.internal true}]", "default 1 false"}
	if got := r.heard(); !slices.Equal(got, want) {
		t.Errorf("it was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s, err := d.Look(onLoopback); err != nil || !s.InPlace {
		t.Errorf("a moment later: %+v, %v", s, err)
	}
	(*resolvedBus)(r).put("Domains", []linkDomain{}) // somebody else's doing
	if s, err := d.Look(onLoopback); err != nil || s.InPlace {
		t.Errorf("after somebody else's doing: %+v, %v", s, err)
	}
	d.set(onLoopback)
	d.set(Want{})
	if got := r.heard(); got[len(got)-1] != "revert 1" {
		t.Errorf("at last it was told %s", got[len(got)-1])
	}
	d.is(before)
}

func TestResolvedHearsOfAnotherPort(t *testing.T) {
	d, r := newResolvedDesk(t)
	w := onLoopback
	w.Server = netip.AddrPortFrom(ours.Addr(), 40001)
	d.set(w)
	if got := r.heard()[0]; got != "dns 1 [{2 [127 0 67 53] 40001 }]" {
		t.Errorf("it was told %s", got)
	}
}

func TestAnOldResolvedIsToldInItsOwnWords(t *testing.T) {
	d, r := newResolvedDesk(t)
	r.mu.Lock()
	r.old = true
	r.mu.Unlock()
	d.set(onLoopback)
	if got := r.heard()[0]; got != "old dns 1 [{2 [127 0 67 53]}]" {
		t.Errorf("it was told %s", got)
	}
}

func TestResolvedThatIsAwayIsNamed(t *testing.T) {
	d, r := newResolvedDesk(t)
	if err := r.conn.Close(); err != nil {
		t.Fatal(err)
	}
	d.faults(onLoopback, "names-resolved-away")
	r.come()
	d.set(onLoopback)
}

func TestAHostMovesFromAFileToResolvedAndBack(t *testing.T) {
	d, r := newResolvedDesk(t)
	stub := d.content()
	d.others(others)
	d.set(onLoopback)
	with := d.content()
	if !strings.Contains(with, "127.0.67.53") {
		t.Fatalf("it is\n%s", with)
	}
	d.others(stub)
	d.set(onLoopback)
	d.is(stub)
	if len(r.heard()) == 0 {
		t.Error("it was told nothing")
	}
	d.others(others)
	d.set(onLoopback)
	if got := r.heard(); got[len(got)-1] != "revert 1" || !strings.Contains(d.content(), "127.0.67.53") {
		t.Errorf("it heard %v, and the file is\n%s", got, d.content())
	}
	d.set(Want{})
	if _, err := os.Stat(filepath.Join(d.state, JournalName)); err == nil || d.content() != others {
		t.Errorf("in the end it is\n%s", d.content())
	}
}
