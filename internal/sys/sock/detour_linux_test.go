package sock

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
)

// detoured opens a group with a detour, or skips where the kernel has none.
func detoured(t *testing.T, n int) ([]Socket, *Detour) {
	t.Helper()
	group, err := OpenGroup(Config{Alone: true}, n)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range group {
		t.Cleanup(func() { s.Close() })
	}
	d, err := OpenDetour(group)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { d.Close() })
	return group, d
}

// packet is a datagram as ESP begins, with a body by which it is known again.
func packet(spi uint32, body byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, spi), 0, 0, 0, body, 1, 2, 3, 4, 5, 6, 7, 8, 9)
}

func say(t *testing.T, to netip.AddrPort, all ...[]byte) {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Skip(err)
	}
	defer c.Close()
	for _, b := range all {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOnlyWhatIsTakenIsTheKernels(t *testing.T) {
	group, d := detoured(t, 1)
	other := netip.MustParseAddr("127.0.0.2")
	for _, at := range []netip.Addr{loopback, loopback6} {
		if err := d.Take([]Taking{{1, other}, {0x3f000001, at}, {0x3f000002, other}}); err != nil {
			t.Fatal(err)
		}
		pass := [][]byte{
			{4, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}, packet(0x3f000003, 1), packet(0x3f000002, 2), packet(0, 3), {0xff}, {0x3f, 0, 0, 1}, packet(0x0c000000, 4),
		}
		to := netip.AddrPortFrom(at, group[0].Port())
		say(t, to, packet(0x3f000001, 9))
		say(t, to, pass...)
		compare(t, datagrams(receive(t, group[0], len(pass))...), pass)
	}
}

func TestADetourThatEndsGivesBack(t *testing.T) {
	group, d := detoured(t, 1)
	if err := d.Take([]Taking{{0x3f000001, loopback}}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	say(t, netip.AddrPortFrom(loopback, group[0].Port()), packet(0x3f000001, 1))
	compare(t, datagrams(receive(t, group[0], 1)...), [][]byte{packet(0x3f000001, 1)})
}

func TestADetourTakesNoMoreThanItCanLookThrough(t *testing.T) {
	group, d := detoured(t, 1)
	all := make([]Taking, MaxTaken)
	for i := range all {
		all[i] = Taking{uint32(0x3f000000 + i), loopback}
	}
	if err := d.Take(all); err != nil {
		t.Fatal(err)
	}
	if d.Take(append(all, Taking{1, loopback})) == nil {
		t.Error("one more was taken")
	}
	say(t, netip.AddrPortFrom(loopback, group[0].Port()), packet(all[MaxTaken-1].SPI, 0))
	say(t, netip.AddrPortFrom(loopback, group[0].Port()), packet(1, 0))
	compare(t, datagrams(receive(t, group[0], 1)...), [][]byte{packet(1, 0)})
}
