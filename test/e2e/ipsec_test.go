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

// pair is what a node has of ESP with a peer that seals.
func (n *node) pair(peer string) (sealing local.ESPSA) {
	n.w.t.Helper()
	var s local.IPsec
	n.w.must(json.Unmarshal([]byte(n.types("ipsec", "sas", "--json")), &s))
	for _, net := range s.Networks {
		for _, p := range net.Peers {
			for _, e := range p.ESP {
				if p.Name == peer && e.State == "sealing" {
					sealing = e
				}
			}
		}
	}
	return sealing
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
