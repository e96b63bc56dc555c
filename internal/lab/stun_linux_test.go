package lab_test

import (
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/lab"
)

// TestNATKindsAreWhatTheySay lets our own STUN client find out what the ten kinds of the NAT grid are, from a server with two
// addresses and two ports (RFC 5780). It knows fewer classes than TestRoutersBehaveAsTheirSpecsSay, and finds them as a node does.
func TestNATKindsAreWhatTheySay(t *testing.T) {
	type class struct {
		mapping   stun.Mapping
		filtering stun.Filtering
	}
	for spec, want := range map[string]class{
		"none":            {stun.MappingIndependent, stun.FilteringIndependent},
		"fw":              {stun.MappingIndependent, stun.FilteringPort},
		"fullcone":        {stun.MappingIndependent, stun.FilteringIndependent},
		"addr":            {stun.MappingIndependent, stun.FilteringAddress},
		"port":            {stun.MappingIndependent, stun.FilteringPort},
		"port+rand":       {stun.MappingIndependent, stun.FilteringPort},
		"linux+openinput": {stun.MappingIndependent, stun.FilteringPort},
		"symaddr":         {stun.MappingDependent, stun.FilteringAddress},
		"sym":             {stun.MappingDependent, stun.FilteringPort},
		"port+noudp":      {stun.MappingUnknown, stun.FilteringUnknown},
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			servers := serveSTUN(t, l)
			a := l.Site("home", spec).Host("a")
			c := stun.NewClient([]netip.AddrPort{servers[0], servers[2]}, rand.Reader)
			converse(t, newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40001")), c)
			f := stun.NewFilter(servers[0], rand.Reader)
			converse(t, newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40002")), f)
			if got := (class{c.Mapping(), f.Filtering()}); got != want {
				t.Errorf("%s is %v, %v; want %v, %v", spec, got.mapping, got.filtering, want.mapping, want.filtering)
			}
		})
	}
}

// machine is what a STUN client and a filter discovery have in common.
type machine interface {
	Start(now mono.Time, out *stun.Out) error
	Datagram(now mono.Time, from netip.AddrPort, b []byte, out *stun.Out) bool
	Tick(now mono.Time, out *stun.Out)
	Deadline() mono.Time
}

// converse lets a machine ask from a socket until it is done.
func converse(t *testing.T, s *socket, m machine) {
	t.Helper()
	clock, out := mono.NewClock(), stun.Out{}
	if err := m.Start(clock.Now(), &out); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, stun.MaxMessage)
	for {
		for _, q := range out.Transmits {
			s.WriteToUDPAddrPort(q.Data, q.To)
		}
		for _, e := range out.Events {
			if e.Kind == stun.Done {
				return
			}
		}
		out.Reset()
		s.SetReadDeadline(time.Now().Add(clock.Until(m.Deadline())))
		n, from, err := s.ReadFromUDPAddrPort(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			m.Tick(clock.Now(), &out)
		case err != nil:
			t.Fatal(err)
		default:
			m.Datagram(clock.Now(), netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), b[:n], &out)
		}
	}
}

// serveSTUN answers at two ports of each of two addresses, and returns them: first address, first port; first, second; second, first;
// second, second.
func serveSTUN(t *testing.T, l *lab.Lab) (at [4]netip.AddrPort) {
	t.Helper()
	var sockets [4]*net.UDPConn
	for i, h := range []*lab.Host{l.Public("stun1"), l.Public("stun2")} {
		for j, port := range []uint16{3478, 3479} {
			at[2*i+j] = netip.AddrPortFrom(h.Addr(), port)
			sockets[2*i+j] = newSocket(t, h, at[2*i+j]).UDPConn
		}
	}
	for i := range sockets {
		go func() {
			server, b := stun.Server{Other: at[3-i], TwoPorts: true}, make([]byte, stun.MaxMessage)
			for {
				n, from, err := sockets[i].ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				answer, change, ok := server.Answer(nil, b[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
				if !ok {
					continue
				}
				out := i
				if change&stun.ChangePort != 0 {
					out ^= 1
				}
				if change&stun.ChangeIP != 0 {
					out ^= 2
				}
				sockets[out].WriteToUDPAddrPort(answer, from)
			}
		}()
	}
	return at
}
