package tun

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What the kernel routes into the interface is read, and reading ends when the device is closed or taken away.
func TestOpenedDeviceReadsPacketsOfTheHost(t *testing.T) {
	ownNetwork(t)
	for _, end := range []string{"close", "delete"} {
		d, err := Open("cvlan0", DefaultMTU)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
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
