package world

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
)

// signedBy is the serial of the authority that has signed a node's certificate of now.
func (n *Node) signedBy() string {
	n.w.T.Helper()
	all := n.live.Certificates().Certificates
	if len(all) != 1 {
		n.w.T.Fatalf("%s has %d certificates", n.Name, len(all))
	}
	return all[0].Issuer.Serial
}

// pings reports whether a peer answers within a fifth of a second.
func (n *Node) pings(peer string) bool {
	_, err := n.live.Ping(n.w.Background(), local.PingRequest{Peer: peer, TimeoutMS: 200})
	return err == nil
}

// within echoes between two nodes until both succeed in one go, and returns how long that took.
func (w *World) within(limit time.Duration, a, b *Node) time.Duration {
	w.T.Helper()
	start := time.Now()
	w.Until(limit, "both reach each other", func() bool { return a.Ping("b") == nil && b.Ping("a") == nil })
	return time.Since(start)
}

// A new key of the tenant's authority: nodes that are connected renew within seconds, and not one packet is lost; relays admit by both keys meanwhile.
// When the old key is ended, what was proved with it is proved anew.
func TestANewKeyOfTheAuthorityIsFollowedAtOnce(t *testing.T) {
	Tell(t, 36, func(w *World) {
		a, b, key := w.relayedIPsec()
		start := time.Now()
		w.Controller.Rotates()
		signs := w.Controller.Signs()
		for a.signedBy() != signs || b.signedBy() != signs {
			if time.Since(start) > 3*time.Second {
				t.Fatal("certificates of the new key take longer than three seconds")
			}
			w.echoes(a, b)
			w.Sleep(20 * time.Millisecond)
		}
		t.Logf("two nodes have certificates of the new key after %v", time.Since(start))
		c := w.NodeBehind(w.Router("sym"), "c") // who joins now shows the relay the new authority, and the others hold lanes by the old
		c.Join(key)
		c.ReachesBy(10*time.Second, "a", local.PathRelay)
		w.Controller.EndsOld()
		w.Sleep(50 * time.Millisecond)
		t.Logf("everybody is back %v after the old key has ended", w.within(3*time.Second, a, b))
		c.Reaches(3*time.Second, "a")
		w.speak(a, b, local.IPsecProtocol)
	})
}

// A certificate of a key that is ended counts no more with anybody within two seconds, though its holder does not hear of it. If its session
// lasts it gets a new one there and is back; if not, it has to join again.
func TestWhoseCertificateIsRevokedIsCutOff(t *testing.T) {
	Tell(t, 37, func(w *World) {
		a, b := w.pair()
		a.Prefers(local.IPsecProtocol)
		w.speak(a, b, local.IPsecProtocol)
		w.Net.Cut(b.Addr, controllerAddr, true)
		w.Controller.Rotates()
		w.echoes(a, b)
		w.Controller.EndsOld()
		start := time.Now()
		w.Until(2*time.Second, "b is cut off", func() bool { return !a.pings("b") })
		t.Logf("cut off within %v", time.Since(start))
		for range 20 {
			if b.Ping("a") == nil {
				t.Fatal("b gets in again with what was revoked")
			}
			w.Sleep(500 * time.Millisecond)
		}
		w.Net.Cut(b.Addr, controllerAddr, false)
		b.Reaches(2*time.Minute, "a")
		w.speak(a, b, local.IPsecProtocol)
		w.Net.Cut(b.Addr, controllerAddr, true)
		w.Sleep(10 * time.Minute)
		w.Controller.Rotates()
		w.Controller.EndsOld()
		w.Until(2*time.Second, "b is cut off again", func() bool { return !a.pings("b") })
		w.Net.Cut(b.Addr, controllerAddr, false)
		w.Until(5*time.Minute, "b is told to join again", func() bool { return strings.Contains(b.Network().Controller.Problem, "join again with a new key") })
	})
}

// ikeLog is what IKE did on a node, a line each.
func (n *Node) ikeLog() string {
	n.w.T.Helper()
	l, err := n.live.IPsecLog(n.w.Background(), local.IPsecLogRequest{})
	if err != nil {
		n.w.T.Fatal(err)
	}
	return fmt.Sprintf("%+v", l.Events)
}

// Whoever cannot reach the controller is believed until the certificate ends, on the minute, and not after; nobody has to tell. The other
// end says why, and its own status.
func TestWhoseCertificateRunsOutIsCutOff(t *testing.T) {
	Tell(t, 42, func(w *World) {
		key := w.Controller.Key(w.Controller.Network("office", true), nil)
		a, b := w.Node("a"), w.Node("b")
		a.Transport, b.Transport = stream.TCP, stream.TCP // QUIC's keepalives of two months would be all that is simulated
		a.Join(key)
		b.Join(key)
		a.Reaches(10*time.Second, "b")
		a.Prefers(local.IPsecProtocol)
		w.speak(a, b, local.IPsecProtocol)
		ends := *b.Network().Controller.CertUntil
		a.Stop()
		b.Stop()
		w.Controller.Kill() // two months of nothing are simulated soon
		w.Sleep(ends.Sub(w.Now()) - time.Hour)
		w.Net.Cut(b.Addr, controllerAddr, true)
		w.Controller.Start()
		a.Start()
		b.Start()
		w.Sleep(59 * time.Minute)
		a.Reaches(5*time.Second, "b")
		b.Reaches(5*time.Second, "a")
		w.Sleep(ends.Sub(w.Now()) + time.Second)
		for range 60 {
			if a.pings("b") || b.pings("a") {
				t.Fatalf("%v after the certificate of b has ended it is let in", w.Now().Sub(ends))
			}
			w.Sleep(time.Second)
		}
		if l := a.ikeLog(); !strings.Contains(l, "expired on "+ends.UTC().Format(time.DateOnly)) {
			t.Errorf("a says nothing of it: %s", l[max(0, len(l)-4000):])
		}
		if p := b.Network().Problem; p == nil || p.Code != "certificate-expired" || !strings.Contains(p.Hint, "new join key") {
			t.Errorf("b says nothing of it: %+v", p)
		}
	})
}

// While its controller is away a node goes on believing what it has heard; what it has heard survives a restart.
func TestWhatHasEndedStaysEndedWithoutTheController(t *testing.T) {
	Tell(t, 38, func(w *World) {
		a, b := w.pair()
		a.Prefers(local.IPsecProtocol)
		w.speak(a, b, local.IPsecProtocol)
		w.Net.Cut(b.Addr, controllerAddr, true)
		w.Controller.Rotates()
		w.Controller.EndsOld()
		w.Until(2*time.Second, "b is cut off", func() bool { return !a.pings("b") })
		w.Sleep(10 * time.Second) // a writes its map down
		w.Controller.Kill()
		a.Stop()
		a.Start()
		for range 10 {
			w.Sleep(time.Second)
			if a.Ping("b") == nil || b.Ping("a") == nil {
				t.Fatal("after a restart what has ended counts again")
			}
		}
	})
}

// The network says what its nodes speak, and changes its mind, under traffic.
func TestTwoSpeakWhatTheirNetworkSays(t *testing.T) {
	Tell(t, 39, func(w *World) {
		n := w.Controller.Network("office", true)
		key := w.Controller.Key(n, nil)
		a, b := w.Node("a"), w.Node("b")
		a.Join(key)
		b.Join(key)
		a.Reaches(10*time.Second, "b")
		for _, step := range []struct {
			network control.Tunnels
			prefers string // by a
			want    string
		}{
			{control.IPsec, "", local.IPsecProtocol},
			{0, "", local.WireGuardProtocol},
			{0, local.IPsecProtocol, local.IPsecProtocol},
			{control.WireGuard, local.IPsecProtocol, local.WireGuardProtocol}, // the network's word goes before a node's
			{control.IPsec, local.WireGuardProtocol, local.IPsecProtocol},
		} {
			a.Prefers(step.prefers)
			if _, err := w.Controller.Tenant().SetNetworkProtocol(w.Background(), "story", n.ID, step.network, 0); err != nil {
				t.Fatal(err)
			}
			w.speak(a, b, step.want)
		}
		b.Stop()
		b.Start()
		b.Reaches(40*time.Second, "a")
		w.speak(a, b, local.IPsecProtocol)
	})
}

// One in FIPS mode speaks IPsec only, one from before there was a choice WireGuard only: both say so, and what to do. So they do where a rule requires
// what one of them cannot.
func TestWhoHasNoTunnelInCommonIsToldSo(t *testing.T) {
	Tell(t, 40, func(w *World) {
		n := w.Controller.Network("office", true)
		key := w.Controller.Key(n, nil)
		strict, old, both := w.Node("strict", func(n *Node) { n.Can = control.IPsec }), w.Node("old", func(n *Node) { n.Can = control.WireGuard }), w.Node("both")
		for _, n := range []*Node{strict, old, both} {
			n.Join(key)
		}
		both.Reaches(10*time.Second, "strict")
		both.Reaches(10*time.Second, "old")
		says := func(n *Node, peer string, words ...string) {
			t.Helper()
			w.Until(3*time.Second, n.Name+" says what is wrong with "+peer, func() bool {
				for _, word := range words {
					if !strings.Contains(n.closed(peer), word) {
						return false
					}
				}
				return true
			})
		}
		says(strict, "old", "no common protocol", "this node speaks ipsec only", "that node wireguard")
		says(old, "strict", "no common protocol", "this node speaks wireguard only", "that node ipsec")
		if both.closed("strict") != "" || both.closed("old") != "" {
			t.Error("who speaks both is closed to somebody")
		}
		w.Controller.Policy(n, `{"acls": [{"src": ["*"], "dst": ["*:*"], "require": ["ipsec"]}]}`)
		says(both, "old", "that node speaks wireguard only", "take require out of the rule")
		says(old, "both", "this node speaks wireguard only", "take require out of the rule")
		both.Reaches(5*time.Second, "strict")
	})
}
