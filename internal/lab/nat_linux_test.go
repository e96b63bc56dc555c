package lab_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
)

// silence is how long a packet that must not come is waited for, and patience how long one that must.
const (
	silence  = 150 * time.Millisecond
	patience = 20 * time.Second
)

// TestRoutersBehaveAsTheirSpecsSay asks each router from inside, as RFC 5780 does: which outside port a socket gets for
// different destinations, and which strangers may answer it.
func TestRoutersBehaveAsTheirSpecsSay(t *testing.T) {
	for spec, want := range map[string]seen{
		"none":                  {"EIM", "EIF", true, true},
		"fw":                    {"EIM", "APDF", true, true},
		"fullcone":              {"EIM", "EIF", false, true},
		"fullcone+rand+hairpin": {"EIM", "EIF", true, false},
		"addr":                  {"EIM", "ADF", false, true},
		"addr+rand":             {"EIM", "ADF", false, false},
		"port":                  {"EIM", "APDF", false, true},
		"port+rand+hairpin":     {"EIM", "APDF", true, false},
		"linux":                 {"EIM", "APDF", false, true},
		"linux+rand":            {"APDM", "APDF", false, false},
		"sym":                   {"APDM", "APDF", false, false},
		"symseq":                {"APDM", "APDF", false, false},
		"symaddr":               {"APDM", "ADF", false, false},
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			s := l.Site("home", spec)
			if got := probe(t, newServers(t, l), s.Host("a"), s.Host("b"), want); got != want {
				t.Errorf("%s behaves like %+v, want %+v", spec, got, want)
			}
		})
	}
}

func TestCarrierNATHidesTheHomeRouter(t *testing.T) {
	l := lab.New(t)
	servers := newServers(t, l)
	home := l.Site("carrier", "sym").Site("home", "port")
	a := home.Host("a")
	if got := probe(t, servers, a, home.Host("b"), seen{}); got.Mapping != "APDM" || got.Filtering != "APDF" {
		t.Errorf("a cone behind a symmetric NAT behaves like %+v", got)
	}
	c := newSocket(t, a, netip.AddrPortFrom(a.Addr(), 40000))
	if m := servers.mapped(c, 0); m.Addr() != netip.MustParseAddr("198.51.100.1") {
		t.Errorf("the internet sees %v, want the carrier's address", m)
	}
}

func TestSymmetricPortsCountUpward(t *testing.T) {
	l := lab.New(t)
	servers := newServers(t, l)
	c := newSocket(t, l.Site("home", "symseq").Host("a"), netip.MustParseAddrPort("0.0.0.0:40000"))
	one, two := servers.mapped(c, 0), servers.mapped(c, 1)
	if two.Port() != one.Port()+1 {
		t.Errorf("ports %d and %d do not follow each other", one.Port(), two.Port())
	}
}

func TestRouterWithoutUDPLetsTCPPass(t *testing.T) {
	l := lab.New(t)
	servers := newServers(t, l)
	a := l.Site("home", "port+noudp").Host("a")
	newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40000")).WriteToUDPAddrPort([]byte("who am I"), servers.sockets[0].at)
	if m := servers.sockets[0].receive(silence); m.IsValid() {
		t.Errorf("UDP came through as %v", m)
	}
	if err := dial(a, l.Host("s1"), 80, patience); err != nil {
		t.Errorf("TCP does not pass: %v", err)
	}
}

func TestRouterForWebOnlyLetsOnly443Pass(t *testing.T) {
	l := lab.New(t)
	newServers(t, l)
	a := l.Site("home", "port+tcp443").Host("a")
	if err := dial(a, l.Host("s1"), 443, patience); err != nil {
		t.Errorf("TCP 443 does not pass: %v", err)
	}
	if dial(a, l.Host("s1"), 80, 2*silence) == nil {
		t.Error("TCP 80 passes")
	}
}

func TestStatefulIPv6AnswersOnlyWhatWasAsked(t *testing.T) {
	l := lab.New(t)
	a, server := l.Site("home", "port+v6").Host("a"), l.Public("s")
	if err := hello(a, server, server.Addr6().String()); err != nil {
		t.Errorf("from inside: %v", err)
	}
	if helloWithin(2*silence, server, a, a.Addr6().String()) == nil {
		t.Error("a stranger came in")
	}
}

func TestShortMappingsDie(t *testing.T) {
	l := lab.New(t)
	servers := newServers(t, l)
	a := l.Site("home", "port+t1").Host("a")
	c := newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40000"))
	m := servers.mapped(c, 0)
	if servers.send(0, m); !c.receive(patience).IsValid() {
		t.Fatal("an answer is not let in while the mapping lives")
	}
	<-time.After(2500 * time.Millisecond) // the kernel's clock, not ours
	if servers.send(0, m); c.receives() {
		t.Error("an answer is let in after the mapping's life")
	}
}

// seen is what can be seen of a router from inside.
type seen struct {
	Mapping, Filtering string
	Hairpin, KeepsPort bool
}

// probe looks at a router of which something is expected: what should come may be late on a busy machine.
func probe(t *testing.T, s *servers, a, b *lab.Host, want seen) seen {
	t.Helper()
	got := seen{Mapping: "APDM", Filtering: "APDF"}
	c := newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40001"))
	m := [3]netip.AddrPort{s.mapped(c, 0), s.mapped(c, 1), s.mapped(c, 2)}
	switch {
	case !m[0].IsValid():
		t.Fatal("no UDP passes")
	case m[0] == m[1] && m[0] == m[2]:
		got.Mapping = "EIM"
	case m[0] == m[1]:
		got.Mapping = "ADM"
	}
	got.KeepsPort = m[0].Port() == 40001

	c = newSocket(t, a, netip.MustParseAddrPort("0.0.0.0:40002"))
	out := s.mapped(c, 0)
	if s.send(1, out); c.comes(want.Filtering == "ADF" || want.Filtering == "EIF") {
		got.Filtering = "ADF"
	}
	if s.send(2, out); c.comes(want.Filtering == "EIF") {
		got.Filtering = "EIF"
	}
	other := newSocket(t, b, netip.MustParseAddrPort("0.0.0.0:40003"))
	s.mapped(other, 0)
	other.WriteToUDPAddrPort([]byte("hairpin"), out)
	got.Hairpin = c.comes(want.Hairpin)
	return got
}

// servers are three sockets on the internet: two ports of one host, one of another. They also answer TCP on 80 and 443.
type servers struct{ sockets []*socket }

func newServers(t *testing.T, l *lab.Lab) *servers {
	s1, s2 := l.Public("s1"), l.Public("s2")
	for _, port := range []uint16{80, 443} {
		ln, err := listen(s1, netip.AddrPortFrom(s1.Addr(), port).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
	}
	return &servers{[]*socket{
		newSocket(t, s1, netip.AddrPortFrom(s1.Addr(), 3478)),
		newSocket(t, s1, netip.AddrPortFrom(s1.Addr(), 3479)),
		newSocket(t, s2, netip.AddrPortFrom(s2.Addr(), 3478)),
	}}
}

// mapped returns how a server sees a socket, or the zero AddrPort if nothing comes through; the server answers, too.
func (s *servers) mapped(c *socket, server int) netip.AddrPort {
	to := s.sockets[server]
	c.WriteToUDPAddrPort([]byte("who am I"), to.at)
	from := to.receive(patience)
	if !from.IsValid() {
		return from
	}
	to.WriteToUDPAddrPort([]byte("you"), from)
	if answer := c.receive(patience); !answer.IsValid() {
		return answer
	}
	return from
}

func (s *servers) send(server int, to netip.AddrPort) {
	s.sockets[server].WriteToUDPAddrPort([]byte("knock"), to)
}

type socket struct {
	*net.UDPConn
	at netip.AddrPort
}

func newSocket(t *testing.T, h *lab.Host, at netip.AddrPort) *socket {
	t.Helper()
	s := &socket{at: at}
	err := h.Do(func() (err error) { s.UDPConn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *socket) receives() bool { return s.receive(silence).IsValid() }

// comes reports whether a packet comes.
func (s *socket) comes(expected bool) bool {
	if expected {
		return s.receive(patience).IsValid()
	}
	return s.receives()
}

// receive returns who has sent the next packet, or the zero AddrPort if there is none within the limit.
func (s *socket) receive(limit time.Duration) netip.AddrPort {
	b := make([]byte, 2048)
	s.SetReadDeadline(time.Now().Add(limit))
	_, from, err := s.ReadFromUDPAddrPort(b)
	if errors.Is(err, os.ErrDeadlineExceeded) { // perhaps because we were away ourselves
		s.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, from, err = s.ReadFromUDPAddrPort(b)
	}
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

func dial(from, to *lab.Host, port int, limit time.Duration) error {
	return from.Do(func() error {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", to.Addr(), port), limit)
		if err == nil {
			c.Close()
		}
		return err
	})
}
