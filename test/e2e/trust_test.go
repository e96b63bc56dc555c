//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
)

// depends counts the connected nodes' certificates that the old key of the tenant's authority has signed.
func (c *controller) depends() (n int) {
	c.w.t.Helper()
	var ca admin.CA
	c.w.must(json.Unmarshal([]byte(c.admin("ca", "rotate", "status", "--json")), &ca))
	for _, a := range ca.Authorities {
		if a.State == "trusted" {
			n += a.Nodes
		}
	}
	return n
}

// An owner has a whole network speak IPsec, gives its authority another key and ends the old one, all under a steady stream of packets through a relay. Not one
// is lost until the end, and few then.
func TestAnAuthorityGetsAnotherKeyUnderTraffic(t *testing.T) {
	w := begin(t)
	c, n, _, _ := w.apart(0, "sym", "sym")
	n[0].reaches("n2", soon)
	n[0].reachesBy("n2", local.PathRelay, heals)
	flow := n[0].sends(n[1])
	start := time.Now()
	c.admin("network", "set", "office", "--protocol", "ipsec")
	n[0].speaks("n2", local.IPsecProtocol, heals)
	n[1].speaks("n1", local.IPsecProtocol, heals)
	c.admin("ca", "rotate", "begin")
	began := time.Now()
	w.eventually(heals, "all connected nodes have certificates of the new key", func() error {
		if left := c.depends(); left > 0 {
			return fmt.Errorf("%d have not", left)
		}
		return nil
	})
	t.Logf("renewed within %v", time.Since(began).Round(time.Millisecond))
	if tally := w.flows(flow, start, heals); tally.Lost > 0 {
		t.Errorf("until the old key ends: %v", tally)
	}
	ends, was := time.Now(), n[0].pair("n2").In
	c.admin("ca", "rotate", "finish")
	w.eventually(heals, "the pair has proved itself anew", func() error {
		if now := n[0].pair("n2").In; now == was || now == "" {
			return fmt.Errorf("its association is %q", now)
		}
		return nil
	})
	tally := w.flows(flow, ends, heals)
	t.Logf("from the end of the old key: %v", tally)
	if tally.Silence > 2*time.Second {
		t.Errorf("the old key has ended: %v", tally)
	}
	n[0].speaks("n2", local.IPsecProtocol, heals)
}

// A node is deleted while packets pass both ways through a relay: within two seconds nothing of it comes through any more.
func TestADeletedNodeIsCutOffWithinTwoSeconds(t *testing.T) {
	w := begin(t)
	c, n, _, _ := w.apart(0, "sym", "sym")
	n[0].reaches("n2", soon)
	c.admin("network", "set", "office", "--protocol", "ipsec")
	n[0].speaks("n2", local.IPsecProtocol, heals)
	out := n[1].sends(n[0])
	w.flows(out, time.Now(), heals)
	c.admin("node", "delete", "n2", "--yes")
	deleted := time.Now()
	var quiet time.Duration
	w.eventually(4*time.Second, "nothing has come from n2 for two seconds", func() error {
		if quiet = out.Since(deleted, late).Quiet; quiet < 2*time.Second {
			return fmt.Errorf("it is quiet for %v", quiet)
		}
		return nil
	})
	t.Logf("nothing came %v after the command any more", max(0, time.Since(deleted)-quiet).Round(time.Millisecond))
	if got := n[0].types("status"); strings.Contains(got, "n2") {
		t.Errorf("n1 still shows it:\n%s", got)
	}
}
