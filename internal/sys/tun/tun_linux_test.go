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
)

// ownNetwork moves the test's thread into a network namespace of its own, which ends with the thread.
func ownNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs root for a network namespace: %v", err)
	}
	if _, err := os.Stat(clonePath); err != nil {
		t.Skipf("needs %s: %v", clonePath, err)
	}
}

func mustOpen(t *testing.T, name string) Device {
	t.Helper()
	d, err := Open(name, DefaultMTU)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestFirstFreeNumberIsTaken(t *testing.T) {
	ownNetwork(t)
	for _, want := range []string{"cvlan0", "cvlan1"} {
		if got, _ := mustOpen(t, "").Name(); got != want {
			t.Fatalf("name %q, want %q", got, want)
		}
	}
	d := mustOpen(t, "office")
	l, err := netlink.LinkByName("office")
	if err != nil || l.Type() != "tuntap" || l.Attrs().MTU != DefaultMTU || l.Attrs().Flags&net.FlagUp != 0 {
		t.Fatalf("link: %+v, %v", l, err)
	}
	d.Close()
	if _, err := netlink.LinkByName("office"); err == nil {
		t.Fatal("the interface outlives its device")
	}
}

func TestTakenNameSaysByWhat(t *testing.T) {
	ownNetwork(t)
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "office"}}); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, "cvlan7")
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
		_, err := Open(name, DefaultMTU)
		if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: %v; want %q in it", name, err, want)
		}
	}
}

func TestWrongNamesAreRefusedWithTheRule(t *testing.T) {
	for _, name := range []string{"a-name-far-too-long", "a/b", "a:b", "cvlan%d", "..", "a b", "é"} {
		if _, err := Open(name, DefaultMTU); !errors.Is(err, ErrName) {
			t.Errorf("open %q: %v", name, err)
		}
	}
	if _, err := Open("a-name-far-too-long", DefaultMTU); !strings.Contains(err.Error(), "at most 15") {
		t.Errorf("long name: %v", err)
	}
	for _, mtu := range []int{0, 1279, 65536} {
		if _, err := Open("", mtu); err == nil || !strings.Contains(err.Error(), "MTU") {
			t.Errorf("MTU %d: %v", mtu, err)
		}
	}
}

func TestWithoutRightsTheErrorSaysWhichToGet(t *testing.T) {
	ownNetwork(t)
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); e != 0 { // this thread only
		t.Skipf("setresuid: %v", e)
	}
	defer unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0))
	_, err := Open("", DefaultMTU)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "run as root") {
		t.Fatalf("open as nobody: %v", err)
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
	_, err := Open("", DefaultMTU)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "modprobe tun") {
		t.Fatalf("open without %s: %v", clonePath, err)
	}
}

// What the kernel routes into the interface is read, and reading ends when the device is closed or taken away.
func TestPacketsOfTheHostAreRead(t *testing.T) {
	ownNetwork(t)
	for _, end := range []string{"close", "delete"} {
		d := mustOpen(t, "cvlan0")
		l, _ := netlink.LinkByName("cvlan0")
		addr, _ := netlink.ParseAddr("10.9.0.1/24")
		if err := errors.Join(netlink.AddrAdd(l, addr), netlink.LinkSetUp(l)); err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("udp", "10.9.0.2:9")
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte("out of the host"))
		c.Close()
		if p := readUDP(t, d); !strings.HasSuffix(string(p), "out of the host") {
			t.Fatalf("read %q", p)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				if _, err := read(d); err != nil {
					return
				}
			}
		}()
		if end == "close" {
			d.Close()
		} else if err := netlink.LinkDel(l); err != nil {
			t.Fatal(err)
		}
		<-done
	}
}

// read returns the first packet of one batch.
func read(d Device) ([]byte, error) {
	bufs, sizes := make([][]byte, d.BatchSize()), make([]int, d.BatchSize())
	for i := range bufs {
		bufs[i] = make([]byte, MaxMTU)
	}
	_, err := d.Read(bufs, sizes, 0)
	return bufs[0][:sizes[0]], err
}

// readUDP skips what the kernel says of itself on a new link.
func readUDP(t *testing.T, d Device) []byte {
	for {
		p, err := read(d)
		if err != nil {
			t.Fatal(err)
		}
		if len(p) > 28 && p[0]>>4 == 4 && p[9] == unix.IPPROTO_UDP {
			return p
		}
	}
}
