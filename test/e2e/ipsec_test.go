//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab"
)

// speaks waits until packets for a peer leave by a protocol, and returns the cipher.
func (n *node) speaks(peer, protocol string, limit time.Duration) (cipher string) {
	n.w.t.Helper()
	n.w.eventually(limit, n.Host.Name()+" speaks "+protocol+" with "+peer, func() error {
		for _, p := range n.in(office).Peers {
			if p.Name == peer {
				if cipher = p.Cipher; p.Protocol == protocol && p.Chosen == protocol {
					return nil
				}
				return fmt.Errorf("it is %s, chosen is %s %s", p.Protocol, p.Chosen, p.Why)
			}
		}
		return fmt.Errorf("it does not see %s", peer)
	})
	return cipher
}

// pairs is what a node has of IPsec with a peer.
func (n *node) pairs(peer string) (with local.IPsecPeer) {
	n.w.t.Helper()
	var s local.IPsec
	n.w.must(json.Unmarshal([]byte(n.types("ipsec", "sas", "--json")), &s))
	for _, net := range s.Networks {
		for _, p := range net.Peers {
			if p.Name == peer {
				with = p
			}
		}
	}
	return with
}

// pair is what a node has of ESP with a peer that seals.
func (n *node) pair(peer string) (sealing local.ESPSA) {
	n.w.t.Helper()
	for _, e := range n.pairs(peer).ESP {
		if e.State == "sealing" {
			sealing = e
		}
	}
	return sealing
}

// hasOne waits until a node has one IKE SA and one pair of ESP with a peer, beside those that end.
func (n *node) hasOne(peer string, limit time.Duration) {
	n.w.t.Helper()
	n.w.eventually(limit, n.Host.Name()+" has one pair with "+peer, func() error {
		with, live := n.pairs(peer), 0
		for _, e := range with.ESP {
			if e.State != "ending" {
				live++
			}
		}
		if len(with.IKE) != 1 || live != 1 {
			return fmt.Errorf("it has %+v", with)
		}
		return nil
	})
}

const requires = `{"acls": [{"src": ["*"], "dst": ["*:*"], "require": ["ipsec"]}]}`

// Two nodes change to IPsec and back under a steady stream of packets, by a setting and by a rule, and get new keys on the way. Hardly any packet
// may be lost: the map reaches both within some milliseconds of each other, and rules are kept from the first moment.
func TestTwoNodesChangeToIPsecAndBackUnderTraffic(t *testing.T) {
	w := begin(t)
	c, n, _ := w.town(2)
	a, b := n[0], n[1]
	a.reaches("n2", soon)
	flow := a.sends(b)
	start := time.Now()
	a.types("set", "protocol", "ipsec")
	cipher := a.speaks("n2", local.IPsecProtocol, heals)
	b.speaks("n1", local.IPsecProtocol, heals)
	if !strings.HasPrefix(cipher, "aes256gcm") {
		t.Errorf("the cipher is %q", cipher)
	}
	was := a.pair("n2")
	if got := a.types("ipsec", "rekey", "n2"); !strings.Contains(got, "n2") {
		t.Errorf("rekey says %q", got)
	}
	w.eventually(heals, "there are new keys", func() error {
		if now := a.pair("n2"); now.In == was.In || now.In == "" {
			return fmt.Errorf("it is still %s", now.In)
		}
		return nil
	})
	c.policy(requires)
	for _, n := range []*node{a, b} {
		n.types("wait", "policy", "2")
	}
	a.types("set", "protocol", "wireguard")
	c.policy(`{"acls": [{"src": ["*"], "dst": ["*:1-65535"], "require": ["ipsec"]}, {"src": ["*"], "dst": ["*:*"], "proto": "icmp", "require": ["ipsec"]}]}`)
	for _, n := range []*node{a, b} { // who has the third policy has had n1's wish, which came before it
		n.types("wait", "policy", "3")
	}
	a.speaks("n2", local.IPsecProtocol, heals) // the rule overrules what a node prefers
	c.policy(`{"acls": [{"src": ["*"], "dst": ["*:*"]}]}`)
	a.speaks("n2", local.WireGuardProtocol, heals)
	b.speaks("n1", local.WireGuardProtocol, heals)
	tally := w.flows(flow, start, heals)
	t.Logf("%+v", tally)
	if lines := a.types("ipsec", "log"); !strings.Contains(lines, "n2") || !strings.Contains(lines, "child up") {
		t.Errorf("the log says %q", lines)
	}
	if tally.Lost > 0 {
		t.Errorf("%d packets were lost", tally.Lost)
	}
}

// Behind routers that let nobody find the other, a rule that requires IPsec is kept through the relay, and after both daemons have restarted.
func TestIPsecThroughARelay(t *testing.T) {
	w := begin(t)
	c, n, _, _ := w.apart(0, "sym", "sym")
	n[0].reaches("n2", soon)
	c.policy(requires)
	n[0].speaks("n2", local.IPsecProtocol, heals)
	n[1].speaks("n1", local.IPsecProtocol, heals)
	n[0].reachesBy("n2", local.PathRelay, heals)
	n[0].stop()
	n[0].start()
	n[0].reaches("n2", time.Minute)
	n[1].Proc.Kill()
	n[1].start()
	n[1].reaches("n1", time.Minute)
	n[0].reaches("n2", time.Minute)
	n[0].speaks("n2", local.IPsecProtocol, heals)
	if got := n[0].types("ipsec", "terminate", "n2"); !strings.Contains(got, "n2") {
		t.Errorf("terminate says %q", got)
	}
	n[0].reaches("n2", heals)
}

// One of two is killed while people change what both speak, at another moment of the change each time, and packets go both ways. Started again, both
// speak what was chosen, and of IPsec one pair is left.
func TestAKillAmidAChangeOfProtocol(t *testing.T) {
	w := begin(t)
	_, n, _ := w.town(2)
	a, b := n[0], n[1]
	for _, x := range n { // messages of both cross for sure
		x.Host.Degrade(lab.Quality{Delay: 15 * time.Millisecond})
	}
	a.reaches("n2", soon)
	there, back := a.sends(b), b.sends(a)
	for round := range 10 {
		at, to, victim := time.Now(), []string{local.IPsecProtocol, local.WireGuardProtocol}[round%2], n[round/2%2]
		changed := make(chan struct{})
		go func() {
			defer close(changed)
			_, _ = a.CLI(w.ctx, "set", "protocol", to) // it is said again if this daemon is the one that is killed
		}()
		<-time.After(time.Duration(round) * 20 * time.Millisecond) // the moment: a command and the change itself take about that long
		victim.Proc.Kill()
		<-changed
		victim.start()
		a.types("set", "protocol", to)
		a.speaks("n2", to, soon)
		b.speaks("n1", to, soon)
		t.Logf("%s amid a change to %s: %v, %v", victim.Host.Name(), to, w.flows(there, at, soon), w.flows(back, at, soon))
		if to == local.IPsecProtocol {
			a.hasOne("n2", soon)
			b.hasOne("n1", soon)
		}
	}
}
