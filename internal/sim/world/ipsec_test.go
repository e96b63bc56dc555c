package world

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/proto/control"
)

// pair is two machines of one network that see each other.
func (w *World) pair() (a, b *Node) {
	w.T.Helper()
	key := w.Controller.Key(w.Controller.Network("office", true), nil)
	a, b = w.Node("a"), w.Node("b")
	a.Join(key)
	b.Join(key)
	a.Up()
	b.Up()
	a.Reaches(10*time.Second, "b")
	return a, b
}

// speak waits until both speak a protocol with each other, and fails the story if an echo is lost on the way there. An echo is sent every 20 ms.
func (w *World) speak(a, b *Node, protocol string) {
	w.T.Helper()
	for end := time.Now().Add(10 * time.Second); a.Speaks("b") != protocol || b.Speaks("a") != protocol; w.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.T.Fatalf("not %s, but %s and %s: %+v", protocol, a.Speaks("b"), b.Speaks("a"), a.Network().Peers)
		}
		w.echoes(a, b)
	}
	for range 50 {
		w.echoes(a, b)
		w.Sleep(20 * time.Millisecond)
	}
}

func (w *World) echoes(a, b *Node) {
	w.T.Helper()
	if err := a.Ping("b"); err != nil {
		w.T.Error(err)
	}
	if err := b.Ping("a"); err != nil {
		w.T.Error(err)
	}
}

// One of two prefers IPsec, and changes its mind, under traffic.
func TestTwoSpeakWhatOneOfThemPrefers(t *testing.T) {
	Tell(t, 31, func(w *World) {
		a, b := w.pair()
		if p := a.Speaks("b"); p != local.WireGuardProtocol {
			t.Errorf("at first they speak %s", p)
		}
		for _, p := range []string{local.IPsecProtocol, "", local.IPsecProtocol, local.WireGuardProtocol} {
			a.Prefers(p)
			want := p
			if p == "" {
				want = local.WireGuardProtocol
			}
			w.speak(a, b, want)
		}
	})
}

// A rule makes IPsec the pair's only way, both come back after one of them was killed, and when the rule is gone, so is IPsec.
func TestARuleThatRequiresIPsecMovesThePair(t *testing.T) {
	Tell(t, 32, func(w *World) {
		n := w.Controller.Network("office", true)
		key := w.Controller.Key(n, nil)
		a, b := w.Node("a"), w.Node("b")
		a.Join(key)
		b.Join(key)
		a.Reaches(10*time.Second, "b")
		w.Controller.Policy(n, `{"acls": [{"src": ["*"], "dst": ["*:*"], "require": ["ipsec"]}]}`)
		w.Until(5*time.Second, "both speak IPsec", func() bool { return a.Speaks("b") == local.IPsecProtocol && b.Speaks("a") == local.IPsecProtocol })
		a.Reaches(3*time.Second, "b")
		w.speak(a, b, local.IPsecProtocol)
		a.Kill()
		a.Start()
		a.Reaches(10*time.Second, "b")
		w.speak(a, b, local.IPsecProtocol)
		b.Stop()
		b.Start()
		a.Reaches(40*time.Second, "b")
		w.speak(a, b, local.IPsecProtocol)
		w.Controller.Policy(n, `{"acls": [{"src": ["*"], "dst": ["*:*"]}]}`)
		w.speak(a, b, local.WireGuardProtocol)
	})
}

// relayedIPsec makes two nodes between whose routers IPsec goes through a relay, and the key that they have joined with.
func (w *World) relayedIPsec() (a, b *Node, key string) {
	w.Relay("eu")
	key = w.Controller.Key(w.Controller.Network("office", true), nil)
	a, b = w.NodeBehind(w.Router("sym"), "a"), w.NodeBehind(w.Router("sym"), "b")
	a.Join(key)
	b.Join(key)
	a.Reaches(5*time.Second, "b")
	b.Prefers(local.IPsecProtocol)
	w.speak(a, b, local.IPsecProtocol)
	a.ReachesBy(5*time.Second, "b", local.PathRelay)
	return a, b, key
}

// Between routers that let nobody find the other IPsec goes through the relay, for a day, with every change of keys on the way, and through
// the end of the controller. They rest meanwhile, so that their way is given up again and again, and their one pair of SAs is not.
func TestIPsecGoesThroughARelayForADay(t *testing.T) {
	Tell(t, 33, func(w *World) {
		a, b, _ := w.relayedIPsec()
		for i := range 24 * 2 {
			w.Sleep(30 * time.Minute)
			a.Reaches(3*time.Second, "b")
			if i == 24 {
				w.Controller.Kill()
			}
			w.Sleep(time.Minute)
			a.wantOneSA()
			b.wantOneSA()
		}
		w.echoes(a, b)
	})
}

// While their relay is away both want other keys, at different moments, so that one of them gives up what there is and the other does not yet. The relay is
// back, and the one with keys that nobody shares speaks first.
func TestWhatOneOfTwoHasGivenUpIsMadeAnewAtOnce(t *testing.T) {
	Tell(t, 40, func(w *World) {
		a, b, _ := w.relayedIPsec()
		for range 20 {
			w.Sleep(40 * time.Minute)
			w.relays[0].Stop()
			for end := time.Now().Add(time.Hour); a.associated("b") && b.associated("a"); w.Sleep(time.Second) {
				if time.Now().After(end) {
					t.Fatal("nobody gives up")
				}
			}
			w.relays[0].Start()
			w.Sleep(2 * time.Minute) // both have registered with it again
			one, other := a, "b"
			if b.associated("a") {
				one, other = b, "a"
			}
			if !one.associated(other) { // so soon after the other that nothing can be seen
				one.Reaches(10*time.Second, other)
				continue
			}
			one.Reaches(3*time.Second, other)
			w.Sleep(time.Minute)
			a.wantOneSA()
			b.wantOneSA()
			return
		}
		t.Error("both always gave up at the same time")
	})
}

// associated reports whether a node has an IKE SA with a peer.
func (n *Node) associated(peer string) bool {
	for _, p := range n.live.IPsec().Networks[0].Peers {
		if p.Name == peer {
			return len(p.IKE) > 0
		}
	}
	return false
}

// A node that does not speak IPsec is spoken with by WireGuard, unless a rule wants IPsec: then the pair is closed.
func TestWhoDoesNotSpeakIPsecIsClosedWhereItIsRequired(t *testing.T) {
	Tell(t, 34, func(w *World) {
		n := w.Controller.Network("office", true)
		key := w.Controller.Key(n, nil)
		a, b := w.Node("a"), w.Node("b", func(n *Node) { n.Can = control.WireGuard })
		a.Join(key)
		b.Join(key)
		a.Prefers(local.IPsecProtocol)
		a.Reaches(10*time.Second, "b")
		if p := a.Speaks("b"); p != local.WireGuardProtocol {
			t.Errorf("they speak %s", p)
		}
		w.Controller.Policy(n, `{"acls": [{"src": ["*"], "dst": ["*:*"], "require": ["ipsec"]}]}`)
		w.Until(5*time.Second, "the pair is closed", func() bool { return a.Ping("b") != nil && b.Ping("a") != nil })
		w.Until(time.Second, "the reason is told", func() bool { return a.closed("b") != "" && b.closed("a") != "" })
		w.Controller.Policy(n, `{"acls": [{"src": ["*"], "dst": ["*:*"]}]}`)
		a.Reaches(5*time.Second, "b")
		if a.closed("b") != "" {
			t.Error("still closed")
		}
	})
}

// closed is why nothing may pass to a peer, as the daemon shows it.
func (n *Node) closed(peer string) string {
	for _, p := range n.Network().Peers {
		if p.Name == peer {
			return p.Closed
		}
	}
	return ""
}

// Who is no longer in the map cannot speak, and its SAs end at once.
func TestARemovedNodeIsCutOffFromIPsec(t *testing.T) {
	Tell(t, 35, func(w *World) {
		a, b := w.pair()
		a.Prefers(local.IPsecProtocol)
		w.speak(a, b, local.IPsecProtocol)
		if err := w.Controller.Tenant().DeleteNode(w.Background(), "story", w.id("b"), 0); err != nil {
			t.Fatal(err)
		}
		w.Until(2*time.Second, "b is gone from a", func() bool { return !a.Sees("b") })
		if err := b.Ping("a"); err == nil {
			t.Error("b still reaches a")
		}
		l, err := a.live.IPsecLog(w.Background(), local.IPsecLogRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if last := l.Events[len(l.Events)-1]; last.Event != "down" || last.Peer != "b" {
			t.Errorf("a says of it %+v", last)
		}
	})
}

// One of two is killed in the midst of a change of protocol, of keys or of certificates, at any moment of it, while they talk. When it is started again
// both reach each other soon, by what they should speak, and one pair of SAs is left. A wish for one may be under way while the other makes it: none is made for
// that wish then.
func TestAKillInTheMidstOfAChange(t *testing.T) {
	for name, change := range map[string]func(w *World, a, b *Node, round int){
		"to IPsec": func(_ *World, a, b *Node, _ int) { a.Prefers(local.WireGuardProtocol); b.Prefers(local.IPsecProtocol) },
		"of keys":  func(_ *World, a, b *Node, _ int) { a.rekeys("b"); b.rekeys("a") },
		"of proofs": func(w *World, a, b *Node, round int) {
			if round > 0 {
				signs := w.Controller.Signs()
				w.Until(time.Minute, "both have renewed", func() bool { return a.signedBy() == signs && b.signedBy() == signs })
				w.Controller.EndsOld()
				w.within(10*time.Second, a, b)
			}
			w.Controller.Rotates()
		},
		"an end": func(_ *World, a, _ *Node, _ int) {
			_, _ = a.live.TerminateIPsec(a.w.Background(), local.IPsecRequest{Network: "office", Peer: "b"}) // there may be nothing just now
		},
	} {
		t.Run(name, func(t *testing.T) {
			Tell(t, 38, func(w *World) {
				a, b := w.pair()
				a.Prefers(local.IPsecProtocol)
				w.speak(a, b, local.IPsecProtocol)
				for round := range 12 {
					change(w, a, b, round)
					for range round { // the moment
						_ = a.Ping("b")
						w.Sleep(7 * time.Millisecond)
					}
					victim := []*Node{a, b}[round%2]
					victim.Kill()
					w.Sleep(time.Duration(round) * 300 * time.Millisecond)
					victim.Start()
					w.within(10*time.Second, a, b)
					w.speak(a, b, local.IPsecProtocol)
					w.Sleep(20 * time.Second) // also of two that have crossed one has ended
					a.wantOneSA()
					b.wantOneSA()
				}
			})
		})
	}
}

// rekeys is cvlan ipsec rekey.
func (n *Node) rekeys(peer string) {
	_, _ = n.live.RekeyIPsec(n.w.Background(), local.IPsecRequest{Network: "office", Peer: peer}) // there may be nothing just now
}

// wantOneSA checks that a node has one IKE SA, and one pair that does not end, with each peer.
func (n *Node) wantOneSA() {
	n.w.T.Helper()
	for _, p := range n.live.IPsec().Networks[0].Peers {
		live := 0
		for _, e := range p.ESP {
			if e.State != "ending" {
				live++
			}
		}
		if len(p.IKE) != 1 || live != 1 {
			n.w.T.Errorf("%s has %d IKE SAs and %d pairs with %s: %+v", n.Name, len(p.IKE), live, p.Name, p)
		}
	}
}
