//go:build interop && linux

package ipsec

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/lab"
)

// kernelsInterface is what our node has beside its TUN device if the kernel carries its packets.
const kernelsInterface = "ikenode0x"

// pair is two of our nodes, of which either may have the kernel carry its packets.
func pair(t *testing.T, ours, theirs bool, v variant, story func(w *world, there *lab.Host)) {
	t.Helper()
	if !*kernel {
		t.Skip("not asked of this kernel: the kernel's ESP is met below, in this kernel where it has ESP, else in User-Mode Linux")
	}
	in(t, v, func(w *world, there *lab.Host) {
		v.node = append(v.node, "-profile", "modern", fmt.Sprintf("-kernel=%v", ours))
		w.begin(v, there)
		node := w.second(there, theirs, v.soft)
		defer func() {
			if t.Failed() {
				t.Logf("ours:\n%s\ntheirs:\n%s", w.said(), node.Log())
				for _, h := range []*lab.Host{w.ours, there} {
					for _, what := range []string{"xfrm state", "xfrm policy", "route", "-s link"} {
						out, _ := h.Run(w.ctx, "sh", "-c", "ip "+what+"; cat /proc/net/xfrm_stat")
						t.Logf("%s: ip %s:\n%s", h.Name(), what, out)
					}
				}
			}
		}()
		story(w, there)
	})
}

// second starts the other node.
func (w *world) second(there *lab.Host, kernel bool, soft time.Duration) *lab.Proc {
	w.t.Helper()
	node := there.Start(w.tool("ikenode"), "-self", "theirs.lab", "-peer", "ours.lab", "-at", netip.AddrPortFrom(w.at(w.ours), 4500).String(),
		"-ours", theirInside, "-theirs", ourInside, "-soft", soft.String(), "-secret", secret, "-profile", "modern", fmt.Sprintf("-kernel=%v", kernel))
	w.must(node.WaitLog(w.ctx, "ready"))
	return node
}

// through is how many packets the kernel has carried for a node, in and out.
func (w *world) through(h *lab.Host) (in, out uint64) {
	w.t.Helper()
	w.must(h.Do(func() error {
		link, err := netlink.LinkByName(kernelsInterface)
		if err == nil {
			in, out = link.Attrs().Statistics.RxPackets, link.Attrs().Statistics.TxPackets
		}
		return err
	}))
	return in, out
}

// The kernel carries one side's packets, the other's, or both's.
func TestTheKernelCarriesOurPackets(t *testing.T) {
	for name, sides := range map[string][2]bool{"neither": {}, "both": {true, true}, "ours": {true, false}, "theirs": {false, true}} {
		for _, six := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/v6=%v", name, six), func(t *testing.T) {
				pair(t, sides[0], sides[1], variant{six: six}, func(w *world, there *lab.Host) {
					idle := func(least uint64) string { // of those whose kernels carry, the first that has carried less
						for i, h := range []*lab.Host{w.ours, there} {
							if !sides[i] {
								continue
							}
							if in, out := w.through(h); in < least || out < least {
								return fmt.Sprintf("the kernel of %s has carried %d packets in and %d out", h.Name(), in, out)
							}
						}
						return ""
					}
					w.until("the kernels carry pings", func() bool {
						w.reach()
						return idle(1) == ""
					})
					w.ping(100, 5*time.Millisecond)
					if r := w.transfer(); r.Gbps < 0.005 {
						t.Errorf("%v", r)
					}
					if who := idle(100); who != "" {
						t.Error(who)
					}
					w.until("the counters know", func() bool { return w.asks().Peers[0].RxPackets > 100 })
				})
			})
		}
	}
}

func TestTheKernelsKeysAreReplacedUnderTraffic(t *testing.T) {
	pair(t, true, true, variant{soft: 2 * time.Second}, func(w *world, there *lab.Host) {
		w.reach()
		// Where a processor is as slow as the laboratory's, a datagram may come between two owners.
		if r := w.tryPing(1000, 10*time.Millisecond, soon); r.Received < 995 {
			t.Errorf("of %d pings %d have come back", r.Sent, r.Received)
		}
		if in, out := w.through(w.ours); in < 900 || out < 900 {
			t.Errorf("the kernel has carried %d packets in and %d out", in, out)
		}
	})
}
