package xfrm

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/sys/mark"
)

// side is a computer: a network namespace with a cable, a device, and a socket whose datagrams the kernel opens.
type side struct {
	t      *testing.T
	work   chan func()
	thread int
	dev    *Device
	encap  *net.UDPConn
	in     netip.Addr
	at     netip.AddrPort

	protocols []uint8
}

const esp = 4500

// pair is two computers on one cable. The test is skipped where the kernel lacks what it takes.
func pair(t *testing.T) (a, b *side) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	a, b = newSide(t, 1), newSide(t, 2)
	a.open()
	b.open()
	a.do(func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "out"}, PeerName: "out", PeerNamespace: netlink.NsPid(b.thread)})
	})
	a.raise()
	b.raise()
	return a, b
}

func newSide(t *testing.T, n byte) *side {
	s := &side{
		t: t, work: make(chan func()), in: netip.AddrFrom4([4]byte{10, 77, 0, n}),
		at: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), esp),
	}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		s.thread = unix.Gettid()
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range s.work {
			f()
		}
	}()
	if err := <-ready; err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { close(s.work) })
	return s
}

// do runs f in the side's namespace.
func (s *side) do(f func() error) {
	s.t.Helper()
	done := make(chan error)
	s.work <- func() { done <- f() }
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

func (s *side) raise() {
	s.do(func() error {
		if err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "inside"}}); err != nil {
			return err
		}
		for name, at := range map[string]string{"inside": s.in.String() + "/32", "out": s.at.Addr().String() + "/24", "lo": ""} {
			link, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			if at != "" {
				addr, _ := netlink.ParseAddr(at)
				if err := netlink.AddrAdd(link, addr); err != nil {
					return err
				}
			}
			if err := netlink.LinkSetUp(link); err != nil {
				return err
			}
		}
		return nil
	})
	s.do(func() (err error) {
		s.encap, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.IPv4Unspecified(), esp)))
		if err != nil {
			return err
		}
		s.t.Cleanup(func() { s.encap.Close() })
		raw, err := s.encap.SyscallConn()
		if err != nil {
			return err
		}
		return errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_ENCAP, unix.UDP_ENCAP_ESPINUDP)
		}), err)
	})
}

func (s *side) open() {
	s.t.Helper()
	var missing error
	s.do(func() error {
		s.dev, missing = Open(Config{Name: "esp0", MTU: 1380})
		return nil
	})
	if missing != nil {
		s.t.Skip(missing)
	}
}

// to is the association by which s sends to other.
func (s *side) to(other *side, spi uint32, c Cipher, last uint64) SA {
	return SA{SPI: spi, Peer: 7, From: s.at, To: other.at, Cipher: c, Key: make([]byte, 36), ESN: true, Window: 1024, Last: last}
}

func (s *side) way(other *side) Way {
	return Way{Peer: 7, Ours: []netip.Addr{s.in}, Theirs: []netip.Addr{other.in}, Protocols: s.protocols}
}

// carry sets up one direction.
func carry(from, to *side, sa SA) {
	from.t.Helper()
	to.do(func() error { return errors.Join(to.dev.Add(sa), to.dev.Admit(to.way(from))) })
	from.do(func() error { return errors.Join(from.dev.Add(sa), from.dev.Lead(from.way(to), sa)) })
}

// listen waits for datagrams inside, say sends n of them.
func (s *side) listen() (heard *net.UDPConn) {
	s.do(func() (err error) {
		heard, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.in, 9)))
		return err
	})
	s.t.Cleanup(func() { heard.Close() })
	return heard
}

func (s *side) say(to *side, n int) {
	s.t.Helper()
	s.do(func() error {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.in, 9)))
		if err != nil {
			return err
		}
		defer c.Close()
		for i := range n {
			if _, err := fmt.Fprint(c, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// count returns how many packets come: those that are expected may take their time, what else comes does so at once.
func count(c *net.UDPConn, expected int) (n int) {
	for b := make([]byte, 99); ; n++ {
		patience := 10 * time.Second
		if n >= expected {
			patience = 200 * time.Millisecond
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(b); err != nil {
			return n
		}
	}
}

func TestTheKernelSealsAndOpens(t *testing.T) {
	for _, c := range []Cipher{AESGCM, ChaCha20Poly1305} {
		t.Run(string(c), func(t *testing.T) {
			a, b := pair(t)
			const last = 1<<32 - 3 // the upper half of the number changes on the way
			sa := a.to(b, 0x3f000001, c, last)
			carry(a, b, sa)
			heard := b.listen()
			a.say(b, 10)
			if n := count(heard, 10); n != 10 {
				t.Fatalf("%d of 10 arrived", n)
			}
			for _, s := range []*side{a, b} {
				s.do(func() error {
					asked, err := s.dev.Use(sa)
					if err != nil {
						return err
					}
					u, err := s.dev.Remove(sa)
					if u != asked || u.Packets != 10 || max(u.Sent, u.Received) != last+10 {
						t.Errorf("%+v, then %+v", asked, u)
					}
					return err
				})
			}
		})
	}
}

func TestOtherProtocolsArePassedByNeitherSide(t *testing.T) {
	a, b := pair(t)
	udp, tcp := []uint8{17}, []uint8{6}
	a.protocols, b.protocols = udp, tcp
	carry(a, b, a.to(b, 0x3f000001, AESGCM, 0))
	heard := b.listen()
	a.say(b, 3)
	if n := count(heard, 0); n != 0 {
		t.Errorf("%d arrived by a protocol that the receiver has not admitted", n)
	}
	b.protocols = udp
	b.do(func() error { return b.dev.Admit(b.way(a)) })
	a.say(b, 3)
	if n := count(heard, 3); n != 3 {
		t.Errorf("%d of 3 arrived", n)
	}
	a.do(func() error {
		c, err := net.DialTimeout("tcp", netip.AddrPortFrom(b.in, 9).String(), time.Second)
		if err == nil {
			c.Close()
			t.Error("TCP was sent by a way for UDP")
		}
		return nil
	})
}

// A machine that sends everything through an exit still reaches the peers whose packets the kernel seals: those are the daemon's own.
func TestSealedPacketsLeaveBesideAnExit(t *testing.T) {
	a, b := pair(t)
	sa := a.to(b, 0x3f000001, AESGCM, 0)
	sa.Own = true
	carry(a, b, sa)
	const table = 100
	a.do(func() error {
		_, inside, _ := net.ParseCIDR("10.77.0.0/16")
		rule := netlink.NewRule()
		rule.Priority, rule.Table, rule.Mark, rule.Mask, rule.Invert = 50, table, mark.Value, new(uint32(mark.Mask)), true
		return errors.Join(
			netlink.RouteAdd(&netlink.Route{Dst: inside, Table: table, Type: unix.RTN_THROW}),
			netlink.RouteAdd(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, Table: table, Type: unix.RTN_UNREACHABLE}),
			netlink.RuleAdd(rule))
	})
	heard := b.listen()
	a.say(b, 10)
	if n := count(heard, 10); n != 10 {
		t.Errorf("%d of 10 arrived", n)
	}
	a.do(func() error {
		if from, err := a.dev.Source(b.at.Addr()); err != nil || from != a.at.Addr() {
			t.Errorf("it would send from %v, %v", from, err)
		}
		return nil
	})
}

func TestWhatIsNotAdmittedIsRefused(t *testing.T) {
	a, b := pair(t)
	carry(a, b, a.to(b, 0x3f000001, AESGCM, 0))
	heard := b.listen()
	b.do(func() error { return b.dev.Refuse(b.way(a)) })
	a.say(b, 3)
	if n := count(heard, 0); n != 0 {
		t.Errorf("%d arrived without a policy", n)
	}
	a.do(func() error { return a.dev.Unlead(a.way(b)) })
	a.do(func() error {
		if c, err := net.Dial("udp", netip.AddrPortFrom(b.in, 9).String()); err == nil {
			c.Close()
			t.Error("there is still a way")
		}
		return nil
	})
}

// Numbers go on where the caller says, and what was sent before is not taken again.
func TestAnAssociationMovesToAnotherAddress(t *testing.T) {
	a, b := pair(t)
	sa := a.to(b, 0x3f000001, AESGCM, 100)
	carry(a, b, sa)
	heard := b.listen()
	a.say(b, 5)
	if n := count(heard, 5); n != 5 {
		t.Fatalf("%d of 5 arrived", n)
	}
	a.do(func() error {
		u, err := a.dev.Remove(sa)
		if err != nil {
			return err
		}
		sa.Last = u.Sent - 3
		return errors.Join(a.dev.Add(sa), a.dev.Lead(a.way(b), sa))
	})
	a.say(b, 5)
	if n := count(heard, 2); n != 2 {
		t.Errorf("%d arrived: 3 of 5 had numbers that were used", n)
	}
}

func TestWhatWasLateIsAccepted(t *testing.T) {
	a, b := pair(t)
	sa := a.to(b, 0x3f000001, AESGCM, 1<<32+10)
	carry(a, b, sa)
	heard := b.listen()
	b.do(func() error {
		_, err := b.dev.Remove(sa)
		sa.Last, sa.Missing = 1<<32+2000, []uint64{1<<32 + 11, 1<<32 + 12, 1<<32 + 14, 1<<32 + 1400} // the first are too old
		return errors.Join(err, b.dev.Add(sa))
	})
	a.do(func() error {
		_, err := a.dev.Remove(sa)
		sa.Last = 1<<32 + 1398
		return errors.Join(err, a.dev.Add(sa))
	})
	a.say(b, 3)
	if n := count(heard, 1); n != 1 {
		t.Errorf("%d of 3 arrived: two were received before", n)
	}
}

func TestLeftoversGoAndNothingElse(t *testing.T) {
	a, b := pair(t)
	carry(a, b, a.to(b, 0x3f000001, AESGCM, 0))
	var other *Device
	a.do(func() (err error) {
		if other, err = Open(Config{Name: "esp1", MTU: 1380}); err != nil {
			return err
		}
		stranger := a.to(b, 0x3f000002, AESGCM, 0)
		return errors.Join(other.Add(stranger), other.Admit(Way{Peer: 9, Ours: []netip.Addr{a.in}, Theirs: []netip.Addr{netip.MustParseAddr("10.77.0.9")}}))
	})
	a.open() // as after a kill: nobody has closed the first
	a.do(func() error {
		states, err := netlink.XfrmStateList(netlink.FAMILY_ALL)
		if err != nil || len(states) != 1 || states[0].Spi != 0x3f000002 {
			t.Errorf("associations left: %v, %v", states, err)
		}
		policies, err := netlink.XfrmPolicyList(netlink.FAMILY_ALL)
		if err != nil || len(policies) != 1 {
			t.Errorf("policies left: %v, %v", policies, err)
		}
		return errors.Join(other.Close(), a.dev.Close())
	})
	a.do(func() error {
		if states, err := netlink.XfrmStateList(netlink.FAMILY_ALL); err != nil || len(states) > 0 {
			t.Errorf("associations left: %v, %v", states, err)
		}
		_, err := netlink.LinkByName("esp0")
		if err == nil {
			t.Error("the interface is left")
		}
		return nil
	})
}
