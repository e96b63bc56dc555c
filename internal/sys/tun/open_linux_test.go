package tun

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// ownNetwork moves the test's thread into a network namespace of its own, which ends with the thread.
func ownNetwork(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root for a network namespace: %v", err)
	}
	if _, err := os.Stat(clonePath); err != nil {
		t.Skipf("needs %s: %v", clonePath, err)
	}
}

func mustCreate(t testing.TB, c Config) Device {
	t.Helper()
	d, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestFirstFreeNumberIsTaken(t *testing.T) {
	ownNetwork(t)
	for _, want := range []string{"cvlan0", "cvlan1"} {
		if d := mustCreate(t, Config{}); d.Name() != want || d.MTU() != DefaultMTU || len(d.Queues()) != 1 {
			t.Fatalf("%q with MTU %d and %d queues; want %q", d.Name(), d.MTU(), len(d.Queues()), want)
		}
	}
	d := mustCreate(t, Config{Name: "office", MTU: 1300, Queues: 3})
	l, err := netlink.LinkByName("office")
	if err != nil || l.Type() != "tuntap" || l.Attrs().MTU != 1300 || l.Attrs().NumTxQueues < 3 || l.Attrs().GSOMaxSegs != offload.MaxSegments || l.Attrs().Flags&net.FlagUp != 0 {
		t.Fatalf("link: %+v, %v", l, err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := netlink.LinkByName("office"); err == nil {
		t.Fatal("the interface outlives its device")
	}
}

func TestTakenNameSaysByWhat(t *testing.T) {
	ownNetwork(t)
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "office"}}); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, Config{Name: "cvlan7", Queues: 2})
	idle := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "idle"}, Mode: netlink.TUNTAP_MODE_TUN}
	if err := netlink.LinkAdd(idle); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"office": "office is an interface of kind bridge",
		"cvlan7": "cvlan7 is the TUN device of process ",
		"idle":   "idle is a TUN device that nobody uses",
		"lo":     "lo is an interface of kind device",
	} {
		_, err := Open(Config{Name: name})
		if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), want) {
			t.Errorf("create %s: %v; want %q in it", name, err, want)
		}
	}
}

func TestWrongNamesAreRefusedWithTheRule(t *testing.T) {
	for _, name := range []string{"a-name-far-too-long", "a/b", "a:b", "cvlan%d", "..", "a b", "é"} {
		if _, err := Open(Config{Name: name}); !errors.Is(err, ErrName) {
			t.Errorf("create %q: %v", name, err)
		}
	}
	_, err := Open(Config{Name: "a-name-far-too-long", MTU: 1279, Queues: 257})
	for _, want := range []string{"at most 15", "MTU 1279", "257 queues"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("all wrong: %v; want %q in it", err, want)
		}
	}
	for _, mtu := range []int{-1, 1279, 65536} {
		if err := (Config{MTU: mtu}).Validate(); err == nil {
			t.Errorf("MTU %d is good", mtu)
		}
	}
}

func TestWithoutRightsTheErrorSaysWhichToGet(t *testing.T) {
	ownNetwork(t)
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); e != 0 { // this thread only
		t.Skipf("setresuid: %v", e)
	}
	defer unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0))
	_, err := Open(Config{})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "run as root") {
		t.Fatalf("create as nobody: %v", err)
	}
}

func TestWithoutCloneDeviceTheErrorSaysHowToGetIt(t *testing.T) {
	ownNetwork(t)
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		t.Skipf("mount namespace: %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Skipf("mount: %v", err)
	}
	if err := unix.Mount("tmpfs", "/dev/net", "tmpfs", 0, ""); err != nil {
		t.Skipf("mount: %v", err)
	}
	defer unix.Unmount("/dev/net", unix.MNT_DETACH)
	_, err := Open(Config{})
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "modprobe tun") {
		t.Fatalf("create without %s: %v", clonePath, err)
	}
}
