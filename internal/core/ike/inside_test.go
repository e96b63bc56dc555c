package ike

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// pool lends the addresses of a test.
type pool struct {
	got    Inside
	err    error
	asked  []netip.Addr
	lent   map[ID]bool
	lender string // whom to
}

func (p *pool) Lend(session ID, id msg.Identity, asked []netip.Addr) (Inside, error) {
	p.asked, p.lender = asked, string(id.Data)
	if p.err == nil {
		p.lent[session] = true
	}
	return p.got, p.err
}

func (p *pool) Return(session ID) { delete(p.lent, session) }

// visit is a world whose first side asks the second for addresses.
func visit(t testing.TB, p *pool, ask ...netip.Addr) *world {
	p.lent = map[ID]bool{}
	return newWorld(t, 1, func(n int, c *Config, peer *Peer) {
		if n == 0 {
			peer.Ask = ask
		} else {
			c.Lender, peer.Lent = p, true
		}
	})
}

var (
	inside4, inside6 = netip.MustParseAddr("10.9.8.7"), netip.MustParseAddr("fd00::7")
	any4, any6       = netip.IPv4Unspecified(), netip.IPv6Unspecified()
)

func TestAVisitorIsLentAddresses(t *testing.T) {
	p := &pool{got: Inside{
		Addrs: []netip.Addr{inside4, inside6}, DNS: []netip.Addr{netip.MustParseAddr("10.9.8.1"), netip.MustParseAddr("fd00::1")},
		Subnets: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("fd00::/64")},
	}}
	w := visit(t, p, any4, any6)
	w.side[0].initiate()
	w.run(time.Second)
	w.agree(1)
	for _, s := range w.side {
		e := s.last(EventUp)
		if len(e.Inside.Addrs) != 2 || e.Inside.Addrs[0] != inside4 || e.Inside.Addrs[1] != inside6 || len(e.Inside.DNS) != 2 || len(e.Inside.Subnets) != 2 {
			t.Errorf("%s: %+v", s.name, e.Inside)
		}
		if e.Inside.DNS[1] != p.got.DNS[1] || e.Inside.Subnets[0] != p.got.Subnets[0] || e.Inside.Subnets[1] != p.got.Subnets[1] {
			t.Errorf("%s: %+v", s.name, e.Inside)
		}
	}
	if p.lender != "a.example" || len(p.asked) != 2 {
		t.Errorf("%q asks for %v", p.lender, p.asked)
	}
	ours := w.side[0].live[w.side[0].child()].Ours // its traffic is that of what was lent, and nothing else
	if len(ours) != 2 || ours[0].From != inside4 || ours[0].To != inside4 || ours[1].From != inside6 || ours[1].To != inside6 {
		t.Errorf("traffic of %v", ours)
	}
	w.side[0].end()
	w.settled()
	if len(p.lent) != 0 {
		t.Error("nothing is given back")
	}
}

// When it proves itself anew it asks for what it has.
func TestAVisitorKeepsItsAddress(t *testing.T) {
	p := &pool{got: Inside{Addrs: []netip.Addr{inside4}}}
	w := visit(t, p, any4)
	w.side[0].initiate()
	w.run(time.Second)
	w.side[0].do(w.side[0].m.Reauthenticate)
	w.run(time.Second)
	w.settled()
	w.agree(1)
	if len(p.asked) != 1 || p.asked[0] != inside4 || len(p.lent) != 1 {
		t.Errorf("it asks for %v, and %d are lent", p.asked, len(p.lent))
	}
	w.side[0].rekeyChild()
	w.run(time.Second)
	w.agree(1)
}

// Without an address there is no Child SA, and the peer is told why; the IKE SA stays (§3.15.4).
func TestWithoutAddressesThereIsNoChildSA(t *testing.T) {
	for name, c := range map[string]struct {
		pool pool
		ask  []netip.Addr
		want msg.NotifyType
	}{
		"none is asked for": {pool{}, nil, msg.FailedCPRequired},
		"none is left":      {pool{err: errors.New("none is left")}, []netip.Addr{any4}, msg.InternalAddressFailure},
		"nothing is lent":   {pool{}, []netip.Addr{any4}, msg.InternalAddressFailure},
	} {
		w := visit(t, &c.pool, c.ask...)
		w.side[0].initiate()
		w.run(time.Second)
		if e := w.side[0].last(EventChildFailed); e.Notify != c.want {
			t.Errorf("%s: %s\n%s", name, e.Notify, w.story())
		}
		w.side[0].createChild() // nor by asking for one alone
		w.run(time.Second)
		w.agree(0)
	}
}

// Who is not lent anything may ask, and gets a Child SA as if it had not.
func TestAWishForAddressesMayBeIgnored(t *testing.T) {
	w := newWorld(t, 1, func(n int, _ *Config, p *Peer) { p.Ask = []netip.Addr{any4} })
	w.side[0].initiate()
	w.run(time.Second)
	w.agree(1)
	if e := w.side[0].last(EventUp); len(e.Inside.Addrs) > 0 {
		t.Errorf("%+v", e.Inside)
	}
}

// What an answer has too much of, or of the wrong kind, is left out.
func TestSettingsThatWereNotAskedFor(t *testing.T) {
	cp := msg.CP{Kind: msg.ConfigReply, Attributes: []msg.Config{
		lent(inside6), lent(inside4), lent(netip.MustParseAddr("10.0.0.9")), {Kind: msg.ConfigIP4}, {Kind: msg.ConfigIP4, Value: []byte{1}},
		{Kind: msg.ConfigIP4, Value: make([]byte, 16)}, {Kind: msg.ConfigIP4Subnet, Value: []byte{10, 0, 0, 0, 255, 0, 255, 0}}, {Kind: 999, Value: []byte("?")},
	}}
	in := granted(cp, []netip.Addr{any4})
	if len(in.Addrs) != 1 || in.Addrs[0] != inside4 || len(in.DNS)+len(in.Subnets) != 0 {
		t.Errorf("%+v", in)
	}
	got := asked(msg.CP{Attributes: []msg.Config{{Kind: msg.ConfigIP6}, lent(inside4), lent(inside6), {Kind: msg.ConfigIP4}}})
	if len(got) != 2 || got[0] != any6 || got[1] != inside4 {
		t.Errorf("%v", got)
	}
}

// Who begins on port 500 goes on at 4500 after the first exchange, and a responder follows (§2.23).
func TestAPeerFloats(t *testing.T) {
	w := newWorld(t, 1, nil)
	a, b := w.side[0], w.side[1]
	at := func(s *side, port uint16) netip.AddrPort { return netip.AddrPortFrom(s.addr.Addr(), port) }
	seen := map[uint16]int{}
	w.watch = func(from int, data []byte) bool { return true }
	if _, err := a.m.Initiate(w.now, a.peer, Path{at(a, 500), at(b, 500)}, &a.out); err != nil {
		t.Fatal(err)
	}
	for _, tr := range a.out.Transmits {
		seen[tr.Path.Remote.Port()]++
	}
	a.flush()
	w.run(time.Second)
	w.agree(1)
	for _, s := range w.side {
		x := s.m.sessions[s.id()]
		if x.path.Local.Port() != 4500 || x.path.Remote.Port() != 4500 || x.nat != (NAT{}) {
			t.Errorf("%s: %v, %v", s.name, x.path, x.nat)
		}
	}
	if seen[500] != 1 {
		t.Errorf("the first message goes to %v", seen)
	}
	w.side[1].rekey()
	w.settled()
	w.agree(1)
}

// A certificate that would have to be fetched is none (§3.6): no Directory ever sees where from.
func TestCertificatesByURLAreNotLookedAt(t *testing.T) {
	urls := []msg.Payload{
		msg.Cert{Encoding: msg.CertHashURL, Data: append(bytes.Repeat([]byte{1}, 20), "http://evil.example/a"...)},
		msg.Cert{Encoding: msg.CertBundleURL, Data: []byte("http://evil.example/b")},
		msg.Cert{Encoding: msg.CertX509, Data: []byte("a certificate")},
	}
	if got := certsOf(urls); len(got) != 1 || got[0].Encoding != msg.CertX509 {
		t.Errorf("%+v", got)
	}
}
