package ike

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// answer lets the other side, which has the keys, answer the request that a side waits for with payloads of its own making.
func (s *side) answer(ps ...msg.Payload) {
	s.w.t.Helper()
	ours := s.m.sessions[s.id()].sa
	theirs := s.other().m.sessions[s.other().id()].sa
	datagrams, err := theirs.seal(theirs.header(ours.pending.exchange, ours.pending.id, msg.Response), ps)
	if err != nil {
		s.w.t.Fatal(err)
	}
	theirs.expect = ours.pending.id + 1
	s.w.flight = nil
	for _, d := range datagrams {
		s.m.Datagram(s.w.now, s.path(), d, &s.out)
	}
	s.flush()
}

// What a peer may answer to a wish for a Child SA that it ought not: nothing comes up, what it made is deleted, and the rest goes on.
func TestAnswersThatMakeNoSense(t *testing.T) {
	nonce := msg.Nonce(bytes.Repeat([]byte{7}, 32))
	good := func(x *session) (sa msg.SA, tsi msg.TSi, tsr msg.TSr, ke msg.KE) {
		task := x.asked().(*createChild)
		offer := task.offer
		c, ok := crypt.Choose(x.profile().ESP, offer, task.method)
		if !ok {
			t.Fatal("we refuse our own offer")
		}
		method, _ := crypt.NewMethod(task.method)
		public, _, err := method.Answer(task.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		return msg.SA{c.Proposal(msg.ProtocolESP, spi4(0x30777777))}, msg.TSi(task.wish.Ours), msg.TSr(task.wish.Theirs), msg.KE{Method: task.method, Data: public}
	}
	wide := []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("0.0.0.0/0"))}
	for name, reply := range map[string]func(x *session) []msg.Payload{
		"nothing":      func(*session) []msg.Payload { return nil },
		"no nonce":     func(x *session) []msg.Payload { sa, i, r, ke := good(x); return []msg.Payload{sa, ke, i, r} },
		"no key":       func(x *session) []msg.Payload { sa, i, r, _ := good(x); return []msg.Payload{sa, nonce, i, r} },
		"no selectors": func(x *session) []msg.Payload { sa, _, _, ke := good(x); return []msg.Payload{sa, nonce, ke} },
		"wider selectors": func(x *session) []msg.Payload {
			sa, i, _, ke := good(x)
			return []msg.Payload{sa, nonce, ke, i, msg.TSr(wide)}
		},
		"another method": func(x *session) []msg.Payload {
			sa, i, r, ke := good(x)
			ke.Method = msg.KEP384
			return []msg.Payload{sa, nonce, ke, i, r}
		},
		"a key of zeros": func(x *session) []msg.Payload {
			sa, i, r, ke := good(x)
			clear(ke.Data)
			return []msg.Payload{sa, nonce, ke, i, r}
		},
		"SPI 0": func(x *session) []msg.Payload {
			sa, i, r, ke := good(x)
			sa[0].SPI = spi4(0)
			return []msg.Payload{sa, nonce, ke, i, r}
		},
		"a used SPI": func(x *session) []msg.Payload {
			sa, i, r, ke := good(x)
			sa[0].SPI = spi4(x.children[0].out)
			return []msg.Payload{sa, nonce, ke, i, r}
		},
		"another cipher": func(x *session) []msg.Payload {
			sa, i, r, ke := good(x)
			sa[0].Transforms[0] = msg.Transform{Type: msg.Encryption, ID: msg.EncrNull}
			return []msg.Payload{sa, nonce, ke, i, r}
		},
		"two proposals": func(x *session) []msg.Payload {
			sa, i, r, ke := good(x)
			two := sa[0]
			two.Number++
			return []msg.Payload{append(sa, two), nonce, ke, i, r}
		},
		"an unoffered KEM": func(x *session) []msg.Payload {
			sa, i, r, ke := good(x)
			sa[0].Transforms = append(sa[0].Transforms, msg.Transform{Type: msg.AdditionalKE1 + 1, ID: msg.KEMLKEM1024})
			return []msg.Payload{sa, nonce, ke, i, r}
		},
	} {
		w := met(t, 1, func(n int, _ *Config, p *Peer) {
			if n == 0 {
				p.Child.Theirs = []msg.Selector{msg.PrefixSelector(netip.MustParsePrefix("10.0.0.0/8"))}
			}
		})
		a := w.side[0]
		a.createChild()
		a.answer(reply(a.m.sessions[a.id()])...)
		if len(a.live) != 1 || len(a.spis) != 1 || a.last(EventChildFailed).Reason != Unusable {
			t.Errorf("%s: %d Child SAs, %d SPIs\n%s", name, len(a.live), len(a.spis), w.story())
		}
		if _, deletes := a.m.sessions[a.id()].asked().(*deleteChild); !deletes {
			t.Errorf("%s: the peer is not told to delete what it made", name)
		}
		w.run(time.Minute)
		w.agree(1)
	}
}

func TestAnswersToANewIKESAThatMakeNoSense(t *testing.T) {
	for name, change := range map[string]func(sa msg.SA, ke *msg.KE){
		"SPI 0":          func(sa msg.SA, _ *msg.KE) { sa[0].SPI = make([]byte, 8) },
		"no SPI":         func(sa msg.SA, _ *msg.KE) { sa[0].SPI = nil },
		"a key of zeros": func(_ msg.SA, ke *msg.KE) { clear(ke.Data) },
		"another method": func(_ msg.SA, ke *msg.KE) { ke.Method = msg.KEP256 },
		"no reference to what is to follow": func(sa msg.SA, _ *msg.KE) {
			sa[0].Transforms = append(sa[0].Transforms, msg.Transform{Type: msg.AdditionalKE1, ID: msg.KEMLKEM768})
		},
	} {
		w := met(t, 1, nil)
		a := w.side[0]
		a.rekey()
		x := a.m.sessions[a.id()]
		task := x.asked().(*rekeyIKE)
		c, _ := crypt.Choose(x.profile().Plain(), task.offer[1:], task.method)
		method, _ := crypt.NewMethod(task.method)
		public, _, err := method.Answer(task.private.Public())
		if err != nil {
			t.Fatal(err)
		}
		sa, ke := msg.SA{c.Proposal(msg.ProtocolIKE, binary.BigEndian.AppendUint64(nil, 99))}, msg.KE{Method: task.method, Data: public}
		if name == "no reference to what is to follow" {
			sa[0].Number = 1
		}
		change(sa, &ke)
		a.answer(sa, msg.Nonce(bytes.Repeat([]byte{7}, 32)), ke)
		if len(a.m.sas) != 1 || a.count(EventRekeyed) != 0 || len(a.up) != 1 {
			t.Errorf("%s: %d IKE SAs\n%s", name, len(a.m.sas), w.story())
		}
	}
}

// A peer that has lost a Child SA gets another (§2.25).
func TestAChildSAThatThePeerHasLostIsMadeAnew(t *testing.T) {
	w := met(t, 1, nil)
	a, b := w.side[0], w.side[1]
	x := b.m.sessions[b.id()]
	x.lose(x.children[0], EventChildDown, &b.out)
	b.flush()
	a.rekeyChild()
	w.run(time.Second)
	w.agree(1)
	if a.count(EventChildDown) != 1 || a.last(EventChildUp).Child.Replaces != 0 {
		t.Error(w.story())
	}
}

// Seven additional key exchanges are possible; two are done one after the other, in all three exchanges that can have them.
func TestSeveralAdditionalKeyExchanges(t *testing.T) {
	w := newWorld(t, 1, func(_ int, c *Config, _ *Peer) {
		two := []msg.Transform{{Type: msg.AdditionalKE1, ID: msg.KEMLKEM768}, {Type: msg.AdditionalKE1 + 1, ID: msg.KEMLKEM1024}}
		c.Profile.IKE, c.Profile.ESP = c.Profile.Plain(), c.Profile.ESP[1:]
		c.Profile.IKE[0].Transforms = append(c.Profile.IKE[0].Transforms, two...)
		c.Profile.ESP[0].Transforms = append(slices.Clone(c.Profile.ESP[0].Transforms), two...)
	})
	w.side[0].initiate()
	w.run(time.Second)
	w.side[1].rekeyChild()
	w.run(time.Second)
	w.side[1].rekey()
	w.settled()
	w.agree(1)
	if c := w.side[0].last(EventRekeyed).Cipher; c != "AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE25519/ML_KEM_768/ML_KEM_1024" {
		t.Error(c)
	}
}

func TestPathsThatOthersLookAfter(t *testing.T) {
	w := met(t, 1, nil)
	a := w.side[0]
	next := Path{Local: a.addr, Remote: netip.MustParseAddrPort("198.51.100.9:4500")}
	if err := a.m.SetPath(a.id(), next); err != nil {
		t.Fatal(err)
	}
	if err := a.m.Probe(w.now, a.id(), &a.out); err != nil || a.out.Transmits[0].Path != next {
		t.Errorf("%v, %+v", err, a.out.Transmits)
	}
	if err := a.m.SetPath(99, next); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// Without MOBIKE, a peer behind a NAT is followed when its mapping changes (§2.23); another is not.
func TestAMappingThatChanges(t *testing.T) {
	for _, nat := range []bool{false, true} {
		w := met(t, 1, nil)
		a, b := w.side[0], w.side[1]
		x := b.m.sessions[b.id()]
		x.mobile, x.nat.Remote = false, nat
		a.probe()
		next := netip.MustParseAddrPort("198.51.100.7:40000")
		w.flight[0].path.Remote = next
		w.run(time.Second)
		if moved := b.count(EventMoved) == 1 && x.path.Remote == next; moved != nat || b.count(EventHeard) == 1 == nat {
			t.Errorf("behind a NAT: %v, moved: %v\n%s", nat, moved, w.story())
		}
	}
}

func TestMistakesOfTheCaller(t *testing.T) {
	if err := (Config{Fragment: 100, Lifetime: 1, CookiesFrom: -1}).Validate(); err == nil {
		t.Error("an empty config is taken")
	}
	if _, err := New(Config{}, nil); err == nil {
		t.Error("a machine of nothing")
	}
	w := met(t, 1, nil)
	a := w.side[0]
	for name, f := range map[string]func(now mono.Time, out *Out) error{
		"no session":  func(now mono.Time, out *Out) error { return a.m.Probe(now, 99, out) },
		"no such end": func(now mono.Time, out *Out) error { return a.m.Terminate(now, 99, out) },
		"no child":    func(now mono.Time, out *Out) error { return a.m.RekeyChild(now, a.id(), 99, out) },
		"no traffic":  func(now mono.Time, out *Out) error { return a.m.CreateChild(now, a.id(), Child{}, out) },
		"nobody":      func(now mono.Time, out *Out) error { _, err := a.m.Initiate(now, Peer{}, a.path(), out); return err },
		"no proof": func(now mono.Time, out *Out) error {
			_, err := a.m.Initiate(now, Peer{Local: fqdn("a")}, a.path(), out)
			return err
		},
		"moves nobody": func(now mono.Time, out *Out) error { return a.m.Move(now, 99, a.path(), out) },
	} {
		if err := f(w.now, &a.out); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for range maxQueue + 5 {
		_ = a.m.CreateChild(w.now, a.id(), *a.peer.Child, &a.out)
	}
	if err := a.m.CreateChild(w.now, a.id(), *a.peer.Child, &a.out); err == nil {
		t.Error("wishes without end are taken")
	}
	a.flush()
	w.run(time.Minute)
	if n := len(a.live); n > maxChildren {
		t.Errorf("%d Child SAs", n)
	}
	w.agree(len(a.live))
}
