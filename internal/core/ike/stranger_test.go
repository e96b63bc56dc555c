package ike

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

func TestAWrongSecretIsRefused(t *testing.T) {
	w := newWorld(t, 1, func(n int, _ *Config, p *Peer) {
		if n == 0 {
			p.Credential.Shared = []byte("a secret of somebody else")
		}
	})
	w.side[0].initiate()
	w.run(time.Second)
	if e := w.side[0].last(EventDown); e.Reason != RefusedByPeer || e.Notify != msg.AuthenticationFailed {
		t.Errorf("%+v", e)
	}
	if e := w.side[1].last(EventRefused); e.Reason != NotProved {
		t.Errorf("%+v", e)
	}
	w.run(time.Minute)
	for _, s := range w.side {
		if len(s.m.sas)+len(s.m.halves)+len(s.m.calls)+len(s.spis)+len(s.up) > 0 {
			t.Errorf("%s remembers\n%s", s.name, w.story())
		}
	}
}

func TestAnUnknownPeerIsRefused(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.side[1].refuse = true
	w.side[0].initiate()
	w.run(time.Second)
	if e := w.side[0].last(EventDown); e.Notify != msg.AuthenticationFailed {
		t.Errorf("%+v", e)
	}
}

func TestAResponderThatIsSomebodyElseIsLeft(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.side[1].peer.Local = fqdn("c.example")
	w.side[0].initiate()
	w.run(time.Second)
	if e := w.side[0].last(EventDown); e.Reason != NotProved {
		t.Errorf("%+v", e)
	}
	if e := w.side[1].last(EventDown); len(w.side[1].up)+len(w.side[1].live) != 0 || e.Notify != msg.AuthenticationFailed {
		t.Errorf("the responder was not told\n%s", w.story())
	}
}

func TestNothingInCommon(t *testing.T) {
	w := newWorld(t, 1, func(n int, c *Config, _ *Peer) {
		name := []string{crypt.CNSA1, crypt.Modern}[n]
		c.Profile, _ = crypt.NewProfile(name)
		if n == 1 {
			c.Profile.IKE = c.Profile.IKE[1:]
			c.Profile.IKE[0].Transforms = c.Profile.IKE[0].Transforms[2:] // ChaCha20 alone
		}
	})
	w.side[0].initiate()
	w.run(time.Second)
	if e := w.side[0].last(EventDown); e.Reason != RefusedByPeer || e.Notify != msg.NoProposalChosen {
		t.Errorf("%+v\n%s", e, w.story())
	}
	if len(w.side[1].m.sas) != 0 {
		t.Error("the responder remembers")
	}
}

func TestProfilesMeet(t *testing.T) {
	for _, pair := range [][2]string{
		{crypt.FIPS, crypt.Modern}, {crypt.Modern, crypt.FIPS}, {crypt.CNSA1, crypt.Modern}, {crypt.Modern, crypt.CNSA1},
		{crypt.CNSA1, crypt.FIPS}, {crypt.NativeClients, crypt.Modern}, {crypt.WindowsDefault, crypt.WindowsDefault},
	} {
		w := newWorld(t, 1, func(n int, c *Config, _ *Peer) { c.Profile, _ = crypt.NewProfile(pair[n]) })
		if slices.Contains(pair[:], crypt.CNSA1) {
			w.byKeys()
		}
		w.side[0].initiate()
		w.run(time.Second)
		w.side[1].rekey()
		w.run(time.Second)
		w.side[0].rekeyChild()
		w.settled()
		w.agree(1)
		if t.Failed() {
			t.Fatal(pair)
		}
	}
}

// bystander is a stranger's IKE_SA_INIT from somewhere.
func bystander(t testing.TB, spi msg.SPI) []byte {
	t.Helper()
	profile, _ := crypt.NewProfile(crypt.Modern)
	method, _ := crypt.NewMethod(msg.KECurve25519)
	o, err := method.Offer()
	if err != nil {
		t.Fatal(err)
	}
	m := msg.Message{Header: msg.Header{SPIi: spi, Exchange: msg.IKESAInit, Flags: msg.FromInitiator}, Payloads: []msg.Payload{
		crypt.Propose(profile.IKE, nil), msg.KE{Method: msg.KECurve25519, Data: o.Public()}, msg.Nonce(bytes.Repeat([]byte{byte(spi)}, 32)),
	}}
	raw, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A flood of strangers costs a bounded number of half-open SAs, and a peer gets through all the same, by a cookie.
func TestAFloodOfStrangers(t *testing.T) {
	w := newWorld(t, 1, func(_ int, c *Config, _ *Peer) { c.MaxHalfOpen = 200 })
	b := w.side[1]
	raw := bystander(t, 1)
	cookies := 0
	for i := range 20_000 {
		raw[0], raw[1], raw[2] = 1, byte(i>>8), byte(i)
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 500)
		b.m.Datagram(w.now, Path{Local: b.addr, Remote: from}, raw, &b.out)
		for _, tr := range b.out.Transmits {
			if m, err := msg.Parse(tr.Data); err == nil {
				if _, ok := msg.Notified(m.Payloads, msg.Cookie); ok {
					cookies++
				}
			}
			if len(tr.Data) > 2*len(raw) {
				t.Fatal("an answer to a stranger is longer than twice the question")
			}
		}
		b.out.Reset()
	}
	if n := len(b.m.halves); n != defaultCookiesFrom || cookies < 19_000 {
		t.Errorf("%d half-open SAs, %d cookies", n, cookies)
	}
	w.side[0].initiate()
	w.run(time.Second)
	if len(w.side[0].up) != 1 {
		t.Fatalf("the peer does not get through\n%s", w.story())
	}
	w.run(halfOpen + time.Second)
	w.agree(1)
	if n := b.count(EventRefused); n != defaultCookiesFrom {
		t.Errorf("%d of them ended", n)
	}
}

func TestManyStrangersOfOneNetworkAreFew(t *testing.T) {
	w := newWorld(t, 1, func(_ int, c *Config, _ *Peer) { c.CookiesFrom = 10_000 })
	b := w.side[1]
	for i := range 200 {
		raw := bystander(t, msg.SPI(i+1))
		from := netip.AddrPortFrom(netip.MustParseAddr("10.1.2.3"), uint16(1000+i))
		b.m.Datagram(w.now, Path{Local: b.addr, Remote: from}, raw, &b.out)
		b.out.Reset()
	}
	if n := len(b.m.halves); n > maxSources {
		t.Errorf("%d half-open SAs with one address", n)
	}
}

func TestCookiesAreOfOneSenderAndAge(t *testing.T) {
	var b baker
	random := func(p []byte) {
		for i := range p {
			p[i]++
		}
	}
	here, there := netip.MustParseAddrPort("192.0.2.1:500"), netip.MustParseAddrPort("192.0.2.1:501")
	b.turn(1, random)
	c := b.bake(7, msg.Nonce("nonce"), here)
	if !b.taste(c, 7, msg.Nonce("nonce"), here) {
		t.Error("a fresh cookie is refused")
	}
	if b.taste(c, 8, msg.Nonce("nonce"), here) || b.taste(c, 7, msg.Nonce("other"), here) || b.taste(c, 7, msg.Nonce("nonce"), there) || b.taste(c[1:], 7, msg.Nonce("nonce"), here) || b.taste(nil, 7, msg.Nonce("nonce"), here) {
		t.Error("a cookie of another is taken")
	}
	b.turn(mono.Time(secretLife)+2, random)
	if !b.taste(c, 7, msg.Nonce("nonce"), here) {
		t.Error("a cookie of the secret before is refused")
	}
	b.turn(mono.Time(2*secretLife)+3, random)
	if b.taste(c, 7, msg.Nonce("nonce"), here) {
		t.Error("an old cookie is taken")
	}
}

func TestAResponderThatWantsCookiesForEverIsLeft(t *testing.T) {
	w := newWorld(t, 1, nil)
	a := w.side[0]
	a.initiate()
	for n := range byte(10) {
		w.flight = nil
		for spi := range a.m.sas {
			h := msg.Header{SPIi: spi, Exchange: msg.IKESAInit, Flags: msg.Response}
			raw, _ := msg.Message{Header: h, Payloads: []msg.Payload{msg.Notify{Kind: msg.Cookie, Data: []byte{'a', 'g', 'a', 'i', 'n', n}}}}.Append(nil)
			a.m.Datagram(w.now, a.path(), raw, &a.out)
			a.flush()
		}
	}
	if e := a.last(EventDown); e.Reason != Unusable || len(a.m.sas) != 0 {
		t.Errorf("%+v", e)
	}
}

// Answers that were overtaken want the cookie that is under way already. They are not counted, and nothing is sent for them.
func TestALateCookieIsNotAnother(t *testing.T) {
	w := newWorld(t, 1, func(_ int, c *Config, _ *Peer) { c.CookiesFrom = 1 })
	b := w.side[1]
	b.m.Datagram(w.now, Path{Local: b.addr, Remote: netip.MustParseAddrPort("10.1.2.3:500")}, bystander(t, 1), &b.out)
	b.out.Reset()
	w.watch = func(from int, data []byte) bool {
		if m, _ := msg.Parse(data); from == 1 && only(m.Payloads, msg.Cookie) {
			for range 2 * maxCookies {
				w.flight = append(w.flight, flying{w.now.Add(20 * time.Millisecond), 0, w.side[0].path(), data})
			}
		}
		return true
	}
	w.side[0].initiate()
	w.run(time.Second)
	if len(w.side[0].up) != 1 || w.sent > 12 {
		t.Errorf("%d messages\n%s", w.sent, w.story())
	}
	w.run(halfOpen)
	w.agree(1)
}

// Who passes the cookie and fails the proof, again and again, costs a bounded amount too.
func TestAFloodOfRefusedPeers(t *testing.T) {
	w := newWorld(t, 1, func(n int, c *Config, p *Peer) {
		c.MaxHalfOpen = 20
		if n == 0 {
			p.Credential.Shared = []byte("a secret of somebody else")
			c.Profile.IKE = c.Profile.Plain()
		}
	})
	for range 150 {
		w.side[0].initiate()
		w.run(60 * time.Millisecond)
		if n := len(w.side[1].m.sas); n > 40 {
			t.Fatalf("%d IKE SAs are remembered", n)
		}
	}
	w.run(2 * time.Minute)
	w.side[0].peer.Credential.Shared = secret
	w.side[0].initiate()
	w.run(time.Second)
	w.run(linger + time.Minute)
	w.agree(1)
}

// A peer that begins again and again does not fill the machine.
func TestOnePeerHasFewSessions(t *testing.T) {
	w := newWorld(t, 1, nil)
	for range 3 * maxSame {
		w.side[0].initiate()
		w.run(time.Second)
	}
	b := w.side[1]
	if len(b.up) > maxSame || len(b.live) > maxSame || len(b.m.sas) > maxSame || b.last(EventDown).Reason != TooMany {
		t.Errorf("%d sessions, %d Child SAs", len(b.up), len(b.live))
	}
}

// A directory that mixes peers up does not make one out of another.
func TestADirectoryThatMixesPeersUp(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.side[1].mixed = true
	w.side[0].initiate()
	w.run(time.Second)
	if e := w.side[1].last(EventRefused); e.Detail != errStranger.Error() {
		t.Errorf("%+v", e)
	}
}
