//go:build e2e && linux

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// lends waits until the kernel does of the association with a peer what it is to do: "both", "seals", "opens", or "" for nothing.
func (n *node) lends(peer, what string, limit time.Duration) {
	n.w.t.Helper()
	n.w.eventually(limit, fmt.Sprintf("the kernel of %s does %q for %s", n.Host.Name(), what, peer), func() error {
		if e := n.pair(peer); e.In == "" || e.Kernel != what {
			return fmt.Errorf("it does %q for %q", e.Kernel, e.In)
		}
		return nil
	})
}

// showKernels tells what the kernels have, if the story has failed.
func (w *world) showKernels(all ...*node) {
	for _, n := range all {
		if !w.t.Failed() {
			return
		}
		out, _ := n.Host.Run(w.ctx, "sh", "-c", "ip -s xfrm state; ip xfrm policy; ip route; ip -6 route; cat /proc/net/xfrm_stat")
		w.t.Logf("%s:\n%s", n.Host.Name(), out)
	}
}

// dropped is what a node's daemon and kernel have dropped so far, by reason.
func (n *node) dropped() (all []string) {
	n.w.t.Helper()
	text := n.types("metrics")
	stat, err := n.Host.Run(n.w.ctx, "cat", "/proc/net/xfrm_stat")
	n.w.must(err)
	for line := range strings.Lines(text + string(stat)) {
		f := strings.Fields(line)
		if len(f) == 2 && f[1] != "0" && ((strings.Contains(f[0], "_drops_total") || strings.Contains(f[0], "_denied_total")) || strings.HasPrefix(f[0], "Xfrm")) {
			all = append(all, strings.Join(f, "="))
		}
	}
	return all
}

// kernels is a town whose nodes speak IPsec, and have their kernels carry it.
func (w *world) kernels() (c *controller, a, b *node) {
	w.t.Helper()
	c, n, _ := w.town(2)
	a, b = n[0], n[1]
	if _, err := a.CLI(w.ctx, "set", "ipsec-backend", "kernel"); err != nil {
		w.t.Skip(err)
	}
	b.types("set", "ipsec-backend", "kernel")
	a.types("set", "protocol", "ipsec")
	a.reaches("n2", soon)
	a.speaks("n2", local.IPsecProtocol, heals)
	b.speaks("n1", local.IPsecProtocol, heals)
	a.lends("n2", "both", time.Minute)
	b.lends("n1", "both", time.Minute)
	return c, a, b
}

const (
	everything = `{"acls": [{"src": ["*"], "dst": ["*:*"]}]}`
	someports  = `{"acls": [{"src": ["*"], "dst": ["*:7"], "proto": "udp"}]}`
)

// Keys are renewed, one end goes back to its own ESP and to the kernel's again, rules forbid something and allow it, and packets go on.
func TestTheKernelCarriesIPsecWhileNothingIsFiltered(t *testing.T) {
	w := begin(t)
	c, a, b := w.kernels()
	defer w.showKernels(a, b)
	flow := a.sends(b)
	start := time.Now()
	was := a.pair("n2")
	a.types("ipsec", "rekey", "n2")
	w.eventually(heals, "there are new keys", func() error {
		if now := a.pair("n2"); now.In == was.In || now.In == "" || now.Kernel != "both" {
			return fmt.Errorf("it is still %+v", now)
		}
		return nil
	})
	t.Logf("a renewal: %v", w.flows(flow, start, heals))
	for _, backend := range []string{"userspace", "kernel"} {
		start = time.Now()
		b.types("set", "ipsec-backend", backend)
		b.lends("n1", map[string]string{"kernel": "both"}[backend], time.Minute)
		a.lends("n2", "both", time.Minute)
		tally := w.flows(flow, start, heals)
		if t.Logf("to the backend %s: %v; dropped: %q %q", backend, tally, a.dropped(), b.dropped()); tally.Silence > time.Second {
			t.Errorf("to the backend %s: %v", backend, tally)
		}
	}

	c.policy(someports)
	a.lends("n2", "", heals)
	if err := a.ask("n2"); err == nil {
		t.Error("a ping passes, which nothing allows any more")
	}
	c.policy(everything)
	a.reaches("n2", heals)
	a.lends("n2", "both", time.Minute)
}

func TestAKilledDaemonsKernelIsSwept(t *testing.T) {
	w := begin(t)
	_, a, b := w.kernels()
	flow := b.sends(a)
	restart := func(backend string) {
		a.Proc.Kill()
		start := time.Now()
		a.start()
		ready := time.Since(start)
		a.reaches("n2", time.Minute)
		reached := time.Since(start)
		t.Logf("killed with the backend %s: ready after %v, reached after %v, %v", backend, ready.Round(time.Millisecond), reached.Round(time.Millisecond), w.flows(flow, start, heals))
	}
	for range 2 {
		restart("kernel")
		a.lends("n2", "both", time.Minute)
	}
	a.types("set", "ipsec-backend", "default")
	a.reaches("n2", time.Minute)
	a.lends("n2", "", heals)
	restart("userspace")
}
