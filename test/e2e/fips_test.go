//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

// Two nodes in FIPS mode and one that is not are in one network. Those speak IPsec with everybody, by the algorithms of their profile, and can be
// made to speak WireGuard neither by a wish nor by the network; the third goes on with whom it likes as it likes.
func TestNodesInFIPSModeSpeakIPsecWithEverybody(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(4)
	c := w.controller(r.Controller)
	key := c.key("--uses", "4")
	var n []*node
	for i, h := range r.Nodes {
		m := &node{w: w}
		if i < 2 {
			d, err := w.set.FIPS(w.ctx, h, "--log-level", "debug")
			w.must(err)
			m.Node = d
		} else {
			m = w.node(h)
		}
		m.join(key)
		n = append(n, m)
	}
	a, plain := n[0], n[2]
	for _, peer := range []string{"n2", "n3"} {
		a.reaches(peer, soon)
		if cipher := a.speaks(peer, local.IPsecProtocol, heals); !strings.HasPrefix(cipher, "aes256gcm") {
			t.Errorf("with %s it speaks %s", peer, cipher)
		}
		for _, ike := range a.pairs(peer).IKE {
			if !strings.Contains(ike.Cipher, "/ECP_256/ML_KEM_768") {
				t.Errorf("with %s keys come by %s", peer, ike.Cipher)
			}
		}
	}
	plain.reaches("n4", soon)
	plain.speaks("n4", local.WireGuardProtocol, heals)

	if s := a.types("status"); !strings.Contains(s, "FIPS mode: IPsec alone, by the Go Cryptographic Module") {
		t.Errorf("status says:\n%s", s)
	}
	_, err := a.CLI(w.ctx, "set", "protocol", "wireguard")
	w.refused(err, iox.Invalid, "FIPS mode")
	c.admin("network", "set", office, "--protocol", "wireguard")
	plain.reaches("n1", soon)
	plain.speaks("n1", local.IPsecProtocol, heals)
}
