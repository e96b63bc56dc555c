package wg

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// machine is a network namespace with a thread that lives in it.
type machine struct {
	t    *testing.T
	fd   int
	jobs chan func()
	host *osnet.System
	key  key.WGPrivate
	Tunnel
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, jobs: make(chan func()), host: osnet.New(osnet.Options{State: t.TempDir()}), key: key.NewWGPrivate()}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, and the namespace with it, dies with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			m.fd, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		}
		ready <- err
		for job := range m.jobs {
			job()
		}
	}()
	if err := <-ready; err != nil {
		close(m.jobs)
		t.Skipf("needs root for network namespaces: %v", err)
	}
	t.Cleanup(func() {
		close(m.jobs)
		unix.Close(m.fd)
	})
	return m
}

// do runs something inside.
func (m *machine) do(what func() error) {
	m.t.Helper()
	done := make(chan error)
	m.jobs <- func() { done <- what() }
	if err := <-done; err != nil {
		m.t.Fatal(err)
	}
}

// cable connects two machines.
func cable(a, b *machine) {
	a.t.Helper()
	a.do(func() error {
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "lan0"}, PeerName: "lan1"}); err != nil {
			return err
		}
		l, err := netlink.LinkByName("lan1")
		if err != nil {
			return err
		}
		return netlink.LinkSetNsFd(l, b.fd)
	})
}

// address gives the cable's end an address in place of those before.
func (m *machine) address(link, addr string) {
	m.t.Helper()
	m.do(func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		old, err := netlink.AddrList(l, netlink.FAMILY_V4)
		for _, a := range old {
			err = errors.Join(err, netlink.AddrDel(l, &a))
		}
		a, e := netlink.ParseAddr(addr)
		return errors.Join(err, e, netlink.AddrAdd(l, a), netlink.LinkSetUp(l))
	})
}

// joins brings the tunnel up with an interface and addresses inside.
func (m *machine) joins(addrs ...netip.Prefix) {
	m.t.Helper()
	m.do(func() error {
		dev, err := tun.Open("", tun.DefaultMTU)
		if err != nil {
			return err
		}
		m.Tunnel, err = New(Config{Private: m.key, TUN: dev})
		if err != nil {
			return err
		}
		var own []netip.Addr
		for _, a := range addrs {
			own = append(own, a.Addr())
		}
		m.Tunnel.(SourceGuard).SetSources(own)
		return m.host.Up(osnet.Config{Interface: "cvlan0", MTU: tun.DefaultMTU, Addresses: addrs})
	})
	m.t.Cleanup(func() {
		m.do(func() error { return errors.Join(m.host.Down("cvlan0"), m.Close()) })
	})
}

func (m *machine) knows(other *machine, allowed []netip.Prefix, at ...string) {
	m.t.Helper()
	p := Peer{Key: other.key.Public()}
	for _, a := range allowed {
		p.Allowed = append(p.Allowed, netip.PrefixFrom(a.Addr(), a.Addr().BitLen()))
	}
	for _, a := range at {
		p.Candidates = append(p.Candidates, netip.AddrPortFrom(netip.MustParseAddr(a), other.Port()))
	}
	if err := m.SetPeer(p); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) pings(to netip.Addr, payload int, limit time.Duration) (rtt time.Duration, err error) {
	m.do(func() error {
		ctx, cancel := context.WithTimeout(m.t.Context(), limit)
		defer cancel()
		rtt, err = m.host.Ping(ctx, "cvlan0", to, payload)
		return nil
	})
	return rtt, err
}

func inside(addrs ...string) (all []netip.Prefix) {
	for _, a := range addrs {
		all = append(all, netip.MustParsePrefix(a))
	}
	return all
}

// Two machines, real devices, real sockets: everything that a demo does but the controller.
func TestTwoMachinesPingThroughTheTunnel(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t), newMachine(t)
	cable(a, b)
	a.address("lan0", "192.0.2.1/24")
	b.address("lan1", "192.0.2.2/24")
	as, bs := inside("10.77.0.1/16", "fd77::1/64"), inside("10.77.0.2/16", "fd77::2/64")
	a.joins(as...)
	b.joins(bs...)
	a.knows(b, bs, "198.51.100.7", "192.0.2.99", "192.0.2.2") // unroutable, nobody, right
	b.knows(a, as)
	for _, to := range bs {
		for _, payload := range []int{0, 56, 1300, 20000} {
			rtt, err := a.pings(to.Addr(), payload, 5*time.Second)
			if err != nil || rtt > time.Second {
				t.Errorf("ping %v with %d bytes: %v, %v", to.Addr(), payload, rtt, err)
			}
		}
	}
	if n := carry(t, b, a, "10.77.0.2:5000", 32<<20); n != 32<<20 {
		t.Errorf("TCP carried %d bytes", n)
	}
	if n := a.Tunnel.(SourceGuard).ForeignSources(); n != 0 {
		t.Errorf("%d of the machine's own packets were dropped", n)
	}

	b.address("lan1", "192.0.2.3/24") // b moves, and says nothing
	a.knows(b, bs, "192.0.2.3")
	a.Wake()
	for start := time.Now(); ; { // a ping is one packet, and the first go where b was
		if _, err := a.pings(bs[0].Addr(), 56, 500*time.Millisecond); err == nil {
			break
		} else if time.Since(start) > 10*time.Second { // without Wake it would take fifteen seconds of silence
			t.Fatalf("after b has moved: %v", err)
		}
	}
	if s := a.Peers()[0]; s.Endpoint.Addr() != netip.MustParseAddr("192.0.2.3") {
		t.Errorf("a thinks that b is at %v", s.Endpoint)
	}
	a.address("lan0", "192.0.2.4/24") // a moves, and goes on from its new address
	if _, err := a.pings(bs[0].Addr(), 56, 5*time.Second); err != nil {
		t.Errorf("after a has moved: %v", err)
	}
	if s := b.Peers()[0]; s.Endpoint.Addr() != netip.MustParseAddr("192.0.2.4") {
		t.Errorf("b thinks that a is at %v", s.Endpoint)
	}
}

// carry moves that many bytes over TCP and counts what arrives.
func carry(t *testing.T, server, client *machine, at string, bytes int64) (n int64) {
	t.Helper()
	var l net.Listener
	var err error
	server.do(func() error { l, err = net.Listen("tcp", at); return err })
	defer l.Close()
	var c net.Conn
	client.do(func() error { c, err = net.DialTimeout("tcp", at, 5*time.Second); return err })
	go func() {
		io.CopyN(c, zeros{}, bytes)
		c.Close()
	}()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.SetDeadline(time.Now().Add(30 * time.Second))
	n, _ = io.Copy(io.Discard, s)
	return n
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// The interface is taken away under the tunnel: it ends and says so.
func TestDeletedInterfaceEndsTheTunnel(t *testing.T) {
	m := newMachine(t)
	m.joins(inside("10.77.0.1/16")...)
	m.do(func() error {
		l, err := netlink.LinkByName("cvlan0")
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	})
	select {
	case <-m.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
}

// Somebody sets the interface down and up again: sessions outlive it.
func TestInterfaceDownAndUpKeepsTheSession(t *testing.T) {
	t.Parallel()
	a, b := newMachine(t), newMachine(t)
	cable(a, b)
	a.address("lan0", "192.0.2.1/24")
	b.address("lan1", "192.0.2.2/24")
	as, bs := inside("10.77.0.1/16"), inside("10.77.0.2/16")
	a.joins(as...)
	b.joins(bs...)
	a.knows(b, bs, "192.0.2.2")
	b.knows(a, as)
	if _, err := a.pings(bs[0].Addr(), 56, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	before := a.Peers()[0].LastHandshake
	a.do(func() error {
		l, err := netlink.LinkByName("cvlan0")
		return errors.Join(err, netlink.LinkSetDown(l), netlink.LinkSetUp(l))
	})
	if _, err := a.pings(bs[0].Addr(), 56, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	if after := a.Peers()[0].LastHandshake; after != before {
		t.Errorf("a new handshake at %v, the old one was at %v", after, before)
	}
}
