//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// Homes whose routers stand behind a carrier's NAT (RFC 6598) meet each other, and one that has an address of its own.
func TestHomesBehindACarriersNATMeetDirectly(t *testing.T) {
	w := begin(t)
	c := w.controller(w.lab.Public("ctl"), "--with-relay")
	carrier := w.lab.Site("carrier", "port+hairpin")
	homes := w.places(c, carrier.Site("home1", "port"), carrier.Site("home2", "port"), w.lab.Site("flat", "port"))
	homes[0].reaches("n3", soon)
	w.directly(homes[0], homes[2], heals)
	homes[0].reaches("n2", soon)
	w.directly(homes[0], homes[1], heals)
}

// A carrier's NAT that does not turn packets back keeps its own customers apart; the relay joins them.
func TestHomesBehindACarriersNATThatTurnsNothingBackMeetAtTheRelay(t *testing.T) {
	w := begin(t)
	c := w.controller(w.lab.Public("ctl"), "--with-relay")
	carrier := w.lab.Site("carrier", "sym")
	homes := w.places(c, carrier.Site("home1", "port"), carrier.Site("home2", "port"))
	homes[0].reachesBy("n2", local.PathRelay, soon)
	w.must(w.conversation(homes[0].Host, homes[1].Host, homes[1].in(office).Self.Addresses[0], 1<<20))
	homes[1].reachesBy("n1", local.PathRelay, soon)
}

// A laptop is taken from one network to another while it talks.
func TestALaptopChangesNetworks(t *testing.T) {
	w := begin(t)
	_, n, home, _ := w.apart(0, "port", "port")
	phone := w.lab.Site("phone", "port+rand")
	w.directly(n[0], n[1], soon)
	s := n[0].sends(n[1])
	w.flows(s, time.Now(), heals)
	for _, where := range []struct {
		name string
		move func()
	}{
		{"to the phone's network", func() { n[0].Host.Roam(phone) }},
		{"home again", func() { n[0].Host.Roam(home[0]) }},
	} {
		at := time.Now()
		where.move()
		t.Logf("%s: %v", where.name, w.flows(s, at, heals))
		w.directly(n[0], n[1], 2*heals)
	}
	s.End(late)
}

// A home router starts anew and has forgotten what it had mapped for whom.
func TestAHomeRouterRestarts(t *testing.T) {
	w := begin(t)
	_, n, home, _ := w.apart(0, "port+rand", "port")
	w.directly(n[0], n[1], soon)
	s := n[0].sends(n[1])
	w.flows(s, time.Now(), heals)
	at := time.Now()
	home[0].Reboot(time.Second)
	t.Logf("with a second without a router: %v", w.flows(s, at, heals))
	w.directly(n[0], n[1], 2*heals)
	s.End(late)
}

// Without the controller, and after both have started anew, each has only what is on its disk and what the relay tells.
func TestBothRestartWithoutTheControllerAndMeet(t *testing.T) {
	w := begin(t)
	c, n, _, _ := w.apart(1, "port+rand", "port+rand")
	w.directly(n[0], n[1], soon)
	n[0].keeps("n2", soon)
	n[1].keeps("n1", soon)
	c.Proc.Kill()
	n[0].Proc.Kill()
	n[1].stop()
	n[1].start()
	n[0].start()
	n[0].reaches("n2", heals)
	w.directly(n[0], n[1], heals)
	if m := n[0].in(office); m.State != local.Offline {
		t.Errorf("with the controller away it is %s", m.State)
	}
}

// Routers that forget after 15 seconds what is idle, where most wait for minutes. A machine finds that out, says so, and keeps the way of a resting pair open.
func TestAPairRestsBehindRoutersThatForget(t *testing.T) {
	const forgets = 15 * time.Second
	w := beginWithin(t, 3*storyTime)
	_, n, _, _ := w.apart(0, fmt.Sprintf("linux+t%.0f", forgets.Seconds()), fmt.Sprintf("port+t%.0f", forgets.Seconds()))
	for _, one := range n {
		w.eventually(2*storyTime, one.Host.Name()+" knows its router", func() error {
			<-time.After(5 * time.Second) // a check is work
			var c local.NetCheck
			w.must(json.Unmarshal([]byte(one.types("netcheck", "--json")), &c))
			if l := c.IPv4.Lifetime; l == 0 || l > forgets {
				return fmt.Errorf("it says that what is idle is kept for %v", l)
			}
			return nil
		})
	}
	if said := n[0].types("netcheck"); !strings.Contains(said, "The router forgets early what is idle") || !strings.Contains(said, "remembered for at least 1") {
		t.Errorf("netcheck says:\n%s", said)
	}
	n[0].reachesBy("n2", local.PathDirect, heals)
	n[1].reachesBy("n1", local.PathDirect, heals)
	before, rests := n[0].pathTo("n2"), time.Now()
	if before.Keepalive == 0 || before.Keepalive >= forgets {
		t.Errorf("the way is kept open every %v, as %s", before.Keepalive, before.KeepaliveWhy)
	}
	w.eventually(3*time.Minute, "the pair has rested", func() error {
		<-time.After(time.Second) // nobody has to ask more often
		if now := n[0].pathTo("n2"); now.Path != local.PathDirect || !now.Since.Equal(*before.Since) && now.Since.Sub(*before.Since).Abs() > time.Second {
			t.Fatalf("after %v of rest the way is %s since %v, because %s", time.Since(rests), now.Path, now.Since, now.Why)
		}
		if rested := time.Since(rests); rested < 100*time.Second {
			return fmt.Errorf("for %v", rested)
		}
		return nil
	})
	if way, _ := n[1].by("n1"); way != local.PathDirect {
		t.Errorf("the first echo after it takes the way %q", way)
	}
}

// pathTo is what a node says of the way to a peer.
func (n *node) pathTo(peer string) (p local.PeerPath) {
	n.w.must(json.Unmarshal([]byte(n.types("peers", "path", "--json", peer)), &p))
	return p
}
