//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab"
)

// backyard is a network that nobody but its routers leads to, with one machine in it that knows nothing of us.
type backyard struct {
	*lab.Host
	w    *world
	addr netip.Addr
}

const (
	yard  = "10.20.0.0/24"
	yard6 = "fd20::/64"
)

// backyard makes one. Routers are plugged in with cables.
func (w *world) backyard() *backyard {
	w.t.Helper()
	b := &backyard{w.lab.Public("printer"), w, netip.MustParseAddr("10.20.0.9")}
	w.addLink(b.Host, "yard", b.addr.String()+"/24")
	w.must(b.Do(func() error {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/yard/disable_ipv6", []byte("0"), 0o644); err != nil {
			return err
		}
		return address("yard", "fd20::9/64")
	}))
	return b
}

func address(link, a string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(a)
	if err != nil {
		return err
	}
	addr.Flags = 0x02 // IFA_F_NODAD
	if addr.IP.To4() != nil {
		addr.Flags = 0
	}
	return netlink.AddrAdd(l, addr)
}

// plug gives a node the nth address in the backyard.
func (b *backyard) plug(n *node, nth int) {
	b.w.t.Helper()
	var space *os.File
	b.w.must(n.Host.Do(func() (err error) { space, err = os.Open("/proc/thread-self/ns/net"); return err }))
	defer space.Close()
	cable := fmt.Sprintf("cable%d", nth)
	b.w.must(b.Do(func() error {
		bridge, err := netlink.LinkByName("yard")
		if err != nil {
			return err
		}
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: cable, MasterIndex: bridge.Attrs().Index}, PeerName: "yard", PeerNamespace: netlink.NsFd(int(space.Fd()))}); err != nil {
			return err
		}
		l, err := netlink.LinkByName(cable)
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	}))
	b.w.must(n.Host.Do(func() error {
		l, err := netlink.LinkByName("yard")
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkSetUp(l), address("yard", fmt.Sprintf("10.20.0.%d/24", nth)), address("yard", fmt.Sprintf("fd20::%d/64", nth)))
	}))
}

// serves answers each TCP connection with whom it sees, and then with what it is told.
func (b *backyard) serves(port int) {
	b.w.t.Helper()
	b.serve(b.addr, port)
	b.serve(netip.MustParseAddr("fd20::9"), port)
}

// serve does at one address.
func (b *backyard) serve(at netip.Addr, port int) {
	b.w.t.Helper()
	var l net.Listener
	b.w.must(b.Do(func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(at, uint16(port)).String())
		return err
	}))
	b.w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap())
				io.Copy(c, c)
			}()
		}
	}()
}

// plain has the kernel compute the checksums of what a node sends to the backyard, as for a card that cannot.
func (b *backyard) plain(n *node) {
	b.w.t.Helper()
	b.w.must(n.Host.Do(func() error {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(s)
		off := struct{ command, value uint32 }{command: 0x17} // ETHTOOL_STXCSUM
		request := struct {
			name [unix.IFNAMSIZ]byte
			data *struct{ command, value uint32 }
			_    [16]byte
		}{data: &off}
		copy(request.name[:], "yard")
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return fmt.Errorf("switch the checksums of a card off: %w", errno)
		}
		return nil
	}))
}

// echoes sends so many bytes to a service in the backyard and wants them back.
func (n *node) echoes(at string, port, bytes int) {
	n.w.t.Helper()
	var c net.Conn
	n.w.must(n.Host.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", netip.AddrPortFrom(netip.MustParseAddr(at), uint16(port)).String(), heals)
		return err
	}))
	defer c.Close()
	c.SetDeadline(time.Now().Add(soon))
	said := make([]byte, bytes)
	rand.NewChaCha8([32]byte{}).Read(said)
	go func() {
		c.Write(said)
		c.(*net.TCPConn).CloseWrite()
	}()
	heard, err := io.ReadAll(c)
	if err != nil || len(heard) < bytes || string(heard[len(heard)-bytes:]) != string(said) {
		n.w.t.Errorf("%s hears %d bytes of %d, or others: %v", n.Host.Name(), len(heard), bytes, err)
	}
}

// badSums is how many TCP segments have reached a host with a wrong checksum.
func (w *world) badSums(h *lab.Host) (n int) {
	w.t.Helper()
	w.must(h.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		var names []string
		for line := range strings.Lines(string(b)) {
			fields := strings.Fields(line)
			if fields[0] != "Tcp:" {
				continue
			}
			if i := slices.Index(names, "InCsumErrors"); i >= 0 {
				_, err = fmt.Sscan(fields[i], &n)
				return err
			}
			names = fields
		}
		return errors.New("the kernel does not tell")
	}))
	return n
}

// seenAs asks a service in the backyard by whom it thinks that it is asked.
func (n *node) seenAs(at string, port int, patience time.Duration) (string, error) {
	var c net.Conn
	to := netip.AddrPortFrom(netip.MustParseAddr(at), uint16(port)).String()
	if err := n.Host.Do(func() (err error) { c, err = net.DialTimeout("tcp", to, patience); return err }); err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 64)
	k, err := c.Read(b)
	return string(b[:k]), err
}

// gets waits until a service in the backyard answers, and sees whom it should.
func (n *node) gets(at string, port int, as string, limit time.Duration) {
	n.w.t.Helper()
	n.w.eventually(limit, n.Host.Name()+" reaches "+at, func() error {
		got, err := n.seenAs(at, port, time.Second)
		if err == nil && as != "" && got != as {
			err = fmt.Errorf("it is seen as %s, not %s", got, as)
		}
		return err
	})
}

func (n *node) getsNot(at string, port int) {
	n.w.t.Helper()
	if as, err := n.seenAs(at, port, time.Second); err == nil {
		n.w.t.Errorf("%s reaches %s port %d, as %s", n.Host.Name(), at, port, as)
	}
}

// has waits until a route is in a state.
func (n *node) has(prefix, state, router string, limit time.Duration) {
	n.w.t.Helper()
	n.w.eventually(limit, n.Host.Name()+" has "+prefix+" "+state, func() error {
		all := n.in(office).Routes
		i := slices.IndexFunc(all, func(r local.PeerRoute) bool { return r.Prefix.String() == prefix })
		switch {
		case i < 0 && state != "":
			return fmt.Errorf("no such route: %v", all)
		case i >= 0 && (all[i].State != state || router != "" && all[i].Router != router):
			return fmt.Errorf("%+v", all[i])
		}
		return nil
	})
}

const routed = `{
	"hosts": {"printer": "10.20.0.9"},
	"acls": [
		{"src": ["*"], "dst": ["printer:80", "fd20::/64:80"], "proto": "tcp"},
		{"src": ["*"], "dst": ["printer:*"], "proto": "icmp"},
		{"src": ["10.20.0.0/24"], "dst": ["*:7"], "proto": "tcp"},
	],
}`

// A machine that has no agent is reached through one that has: what policy allows, both ways, in both families, and the host of the router is
// as it was when it ends.
func TestANetworkBehindANode(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(2)
	gate, laptop := nodes[0], nodes[1]
	yardOf := w.backyard()
	yardOf.plug(gate, 1)
	yardOf.serves(80)
	yardOf.serves(81)
	c.policy(routed)
	gate.stop()
	before := w.network(gate.Host) + w.knobs(gate.Host, "yard")
	gate.start()
	gate.becomes(local.Up, soon)

	if said := gate.types("route", "offer", yard, yard6); !strings.Contains(said, "waits for approval") {
		t.Errorf("offer says %q", said)
	}
	laptop.getsNot("10.20.0.9", 80)
	c.admin("route", "approve", gate.Host.Name(), yard, yard6)
	laptop.has(yard, local.RouteInUse, gate.Host.Name(), soon)
	laptop.gets("10.20.0.9", 80, "10.20.0.1", soon)
	laptop.gets("fd20::9", 80, "fd20::1", soon)
	laptop.getsNot("10.20.0.9", 81)
	laptop.getsNot("10.20.0.1", 80)
	if said := laptop.types("ping", "-c", "1", "10.20.0.9"); !strings.Contains(said, gate.Host.Name()+" (10.20.0.9): ") {
		t.Errorf("ping says %q", said)
	}
	if out, err := laptop.CLI(w.ctx, "ping", "-c", "1", "10.20.0.7"); err == nil || !strings.Contains(err.Error(), "no echo request through") {
		t.Errorf("ping of what is not allowed says %q, %v", out, err)
	}

	// Without masquerade the printer sees who asks, and may ask back.
	gate.types("set", "snat", "off")
	mine := laptop.in(office).Self.Addresses[0]
	w.must(yardOf.Do(func() error {
		l, err := netlink.LinkByName("yard")
		if err != nil {
			return err
		}
		_, to, err := net.ParseCIDR(mine.String() + "/32")
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: to, Gw: net.ParseIP("10.20.0.1")})
	}))
	laptop.gets("10.20.0.9", 80, mine.String(), soon)
	laptop.answers("tcp", 7)
	laptop.answers("tcp", 8)
	asks := func(port int) error {
		return yardOf.Do(func() error {
			c, err := net.DialTimeout("tcp", netip.AddrPortFrom(mine, uint16(port)).String(), time.Second)
			if err != nil {
				return err
			}
			defer c.Close()
			return says(c, time.Second)
		})
	}
	w.eventually(soon, "the printer asks the laptop", func() error { return asks(7) })
	if asks(8) == nil {
		t.Error("the printer reaches what policy does not let it")
	}
	gate.types("set", "snat", "on")

	// By IPsec as well. Trains come with partial checksums, which have to be whole behind the router.
	for _, plain := range []bool{false, true} {
		if plain {
			yardOf.plain(gate)
		}
		for _, protocol := range []string{"wireguard", "ipsec"} {
			laptop.types("set", "protocol", protocol)
			laptop.speaks(gate.Host.Name(), protocol, soon)
			laptop.gets("10.20.0.9", 80, "10.20.0.1", soon)
			laptop.echoes("10.20.0.9", 80, 4<<20)
			laptop.echoes("fd20::9", 80, 4<<20)
		}
	}
	for _, h := range []*lab.Host{laptop.Host, gate.Host, yardOf.Host} {
		if bad := w.badSums(h); bad > 0 {
			t.Errorf("%s has seen %d wrong checksums", h.Name(), bad)
		}
	}
	laptop.getsNot("10.20.0.9", 81)

	// A daemon that is killed comes back to the same.
	gate.Proc.Kill()
	gate.start()
	laptop.gets("10.20.0.9", 80, "10.20.0.1", soon)

	// What would hide a network of the machine's own is not set.
	w.addLink(laptop.Host, "dock", "10.20.0.77/28")
	laptop.has(yard, local.RouteClash, "", soon)
	laptop.getsNot("10.20.0.9", 80)
	w.dropLink(laptop.Host, "dock")
	laptop.gets("10.20.0.9", 80, "", soon)

	laptop.types("set", "accept-routes", "off")
	laptop.getsNot("10.20.0.9", 80)
	laptop.types("set", "accept-routes", "on")
	laptop.gets("10.20.0.9", 80, "", soon)

	c.admin("route", "revoke", gate.Host.Name(), yard)
	laptop.has(yard, "", "", soon)
	laptop.getsNot("10.20.0.9", 80)
	c.admin("route", "approve", gate.Host.Name(), yard)
	laptop.gets("10.20.0.9", 80, "", soon)
	gate.types("route", "withdraw", yard, yard6)
	laptop.has(yard, "", "", soon)
	laptop.getsNot("10.20.0.9", 80)

	gate.types("route", "offer", yard)
	laptop.gets("10.20.0.9", 80, "", soon)
	gate.types("down")
	gate.stop()
	w.eventually(soon, "the router's host is as before", func() error {
		if now := w.network(gate.Host) + w.knobs(gate.Host, "yard"); now != before {
			return fmt.Errorf("before:\n%s\nnow:\n%s", before, now)
		}
		return nil
	})
}

// knobs are the switches and tables of a host that a router of ours changes, with a network behind that link.
func (w *world) knobs(h *lab.Host, link string) (all string) {
	w.t.Helper()
	w.must(h.Do(func() error {
		for _, k := range []string{"ipv4/ip_forward", "ipv4/conf/all/rp_filter", "ipv4/conf/" + link + "/forwarding", "ipv6/conf/all/forwarding", "ipv6/conf/" + link + "/accept_ra"} {
			b, err := os.ReadFile("/proc/sys/net/" + k)
			if err != nil {
				return err
			}
			all += "\n" + k + " " + strings.TrimSpace(string(b))
		}
		return nil
	}))
	w.must(h.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		for _, t := range tables {
			all += fmt.Sprintf("\ntable %d %s", t.Family, t.Name)
		}
		return err
	}))
	return all
}

// Two routers lead to one network. The one in use is killed, and the other takes over before people notice.
func TestAnotherRouterTakesOver(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(3)
	laptop := nodes[2]
	yardOf := w.backyard()
	yardOf.serves(80)
	c.policy(routed)
	for i, gate := range nodes[:2] {
		yardOf.plug(gate, i+1)
		gate.types("route", "offer", yard)
		c.admin("route", "approve", gate.Host.Name(), yard)
	}
	laptop.gets("10.20.0.9", 80, "", soon)
	w.eventually(soon, "both routers are known", func() error {
		if all := laptop.in(office).Routes; len(all) != 1 || len(all[0].Standby) != 1 {
			return fmt.Errorf("%+v", all)
		}
		return nil
	})
	used := laptop.in(office).Routes[0].Router
	dead := nodes[slices.IndexFunc(nodes, func(n *node) bool { return n.Host.Name() == used })]
	dead.Proc.Kill()
	took, err := w.within(soon, func() error { _, err := laptop.seenAs("10.20.0.9", 80, 200*time.Millisecond); return err })
	w.must(err)
	t.Logf("another router took over after %v", took.Round(10*time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("another router took over after %v", took)
	}
	if r := laptop.in(office).Routes[0]; r.Router == used {
		t.Errorf("%+v", r)
	}
}
