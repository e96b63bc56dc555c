package sock

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func mustOpenGroup(t *testing.T, c Config, n int) []Socket {
	t.Helper()
	group, err := OpenGroup(c, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range group {
			s.Close()
		}
	})
	return group
}

// Each remote's datagrams reach one of the group; together the members get everything.
func TestAGroupSharesThePort(t *testing.T) {
	const remotes = 64
	group := mustOpenGroup(t, Config{}, 3)
	type arrival struct {
		member int
		from   netip.AddrPort
	}
	arrivals := make(chan arrival, 2*remotes)
	for i, s := range group {
		if s.Port() != group[0].Port() {
			t.Fatal("ports differ")
		}
		go func() {
			trains := buffers(Batch, 100)
			for {
				n, err := s.Receive(trains)
				if err != nil {
					return
				}
				for _, train := range trains[:n] {
					for range train.Datagrams() {
						arrivals <- arrival{i, train.Remote}
					}
				}
			}
		}()
	}
	for i := range remotes {
		at := loopback
		if i%2 == 1 {
			at = loopback6
		}
		s := mustOpen(t, Open, Config{})
		to := netip.AddrPortFrom(at, group[0].Port())
		send(t, s.(*udp), Train{Data: []byte("1"), Remote: to}, Train{Data: []byte("2"), Remote: to})
	}
	whose, members := map[netip.AddrPort]int{}, map[int]int{}
	for range 2 * remotes {
		a := <-arrivals
		if m, ok := whose[a.from]; ok && m != a.member {
			t.Errorf("%v reached two members", a.from)
		}
		whose[a.from] = a.member
		members[a.member]++
	}
	if len(members) != 3 {
		t.Errorf("datagrams by member: %v", members)
	}
}

func TestNoStrangerJoinsAGroup(t *testing.T) {
	group := mustOpenGroup(t, Config{}, 2)
	if s, err := Open(Config{Port: group[0].Port()}); !errors.Is(err, ErrPortTaken) {
		t.Errorf("%v, %v", s, err)
	}
	for _, family := range []string{"udp4", "udp6"} {
		if c, err := net.ListenUDP(family, &net.UDPAddr{Port: int(group[0].Port())}); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%v, %v", c, err)
		}
	}
}

// Even a program that would share its port keeps it to itself.
func TestAGroupJoinsNoStranger(t *testing.T) {
	for _, shares := range []bool{false, true} {
		var c net.ListenConfig
		if shares {
			c.Control = func(_, _ string, raw syscall.RawConn) (err error) {
				raw.Control(func(fd uintptr) { err = share(int(fd)) })
				return err
			}
		}
		stranger, err := c.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		port := stranger.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		if group, err := OpenGroup(Config{Port: port, Shared: true}, 2); !errors.Is(err, ErrPortTaken) || group != nil {
			t.Errorf("%v, %v", group, err)
		}
	}
	if _, err := OpenGroup(Config{}, 0); err == nil {
		t.Error("a group of none")
	}
}
