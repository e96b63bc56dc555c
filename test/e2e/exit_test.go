//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab"
)

// Addresses of a server on the internet that are not for documentation, as those of the laboratory are.
const (
	remote  = "5.5.5.5"
	remote6 = "2a00:5::5"
)

// faraway is a server that has them.
func (w *world) faraway() *backyard {
	w.t.Helper()
	b := &backyard{w.lab.Public("server"), w, netip.MustParseAddr(remote)}
	w.must(b.Do(func() error { return errors.Join(address("eth0", remote+"/32"), address("eth0", remote6+"/128")) }))
	w.must(w.lab.Host("inet").Do(func() error {
		l, err := netlink.LinkByName("u-server")
		if err != nil {
			return err
		}
		_, four, _ := net.ParseCIDR(remote + "/32")
		_, six, _ := net.ParseCIDR(remote6 + "/128")
		return errors.Join(
			netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: four, Scope: netlink.SCOPE_LINK}),
			netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: six, Gw: netip.MustParseAddr("fe80::2").AsSlice()}))
	}))
	for _, port := range []int{80, 81} {
		b.serve(netip.MustParseAddr(remote), port)
		b.serve(netip.MustParseAddr(remote6), port)
	}
	return b
}

const throughExits = `{"acls": [{"src": ["*"], "dst": ["autogroup:internet:80"], "proto": "tcp"}]}`

// leaks counts what leaves a host by its uplink without the daemon's mark.
func (w *world) leaks(h *lab.Host) func() uint64 {
	w.t.Helper()
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: "leaks"}
	chain := &nftables.Chain{Table: table, Name: "post", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityLast}
	do := func(f func(*nftables.Conn) error) {
		w.t.Helper()
		w.must(h.Do(func() error {
			c, err := nftables.New()
			if err != nil {
				return err
			}
			return f(c)
		}))
	}
	do(func(c *nftables.Conn) error {
		c.AddTable(table)
		c.AddChain(chain)
		name, mask, mark := make([]byte, unix.IFNAMSIZ), make([]byte, 4), make([]byte, 4)
		copy(name, "eth0")
		binary.NativeEndian.PutUint32(mask, 0xff)
		binary.NativeEndian.PutUint32(mark, 0xc0)
		for _, proto := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMP} {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
				&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: name},
				&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
				&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
				&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: mark}, &expr.Counter{}}})
		}
		return c.Flush()
	})
	return func() (n uint64) {
		w.t.Helper()
		do(func(c *nftables.Conn) error {
			rules, err := c.GetRules(table, chain)
			for _, r := range rules {
				for _, x := range r.Exprs {
					if k, ok := x.(*expr.Counter); ok {
						n += k.Packets
					}
				}
			}
			return err
		})
		return n
	}
}

// leaves waits until the exit is in a state.
func (n *node) leaves(state string) {
	n.w.t.Helper()
	n.w.eventually(soon*2, n.Host.Name()+"'s exit is "+state, func() error {
		x := n.in(office).Exit
		switch {
		case x == nil && state != "":
			return errors.New("there is none")
		case x != nil && x.State != state:
			return fmt.Errorf("%+v", *x)
		}
		return nil
	})
}

// All traffic of a laptop leaves through another machine, in both families and as far as policy lets it; while that machine is away, or the daemon
// killed, nothing leaves beside it; and the laptop is as before when it ends.
func TestTheInternetThroughAnExit(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(2)
	gate, laptop := nodes[0], nodes[1]
	w.faraway()
	c.policy(throughExits)
	for _, n := range nodes {
		n.stop()
	}
	beforeGate, beforeLaptop := w.network(gate.Host)+w.knobs(gate.Host, "eth0"), w.network(laptop.Host)+w.knobs(laptop.Host, "eth0")
	for _, n := range nodes {
		n.start()
		n.becomes(local.Up, soon)
	}
	laptop.gets(remote, 80, laptop.Host.Addr().String(), soon)
	laptop.gets(remote6, 80, laptop.Host.Addr6().String(), soon)

	if said := gate.types("exit", "offer"); !strings.Contains(said, "waits for approval") || !strings.Contains(said, "approve "+gate.Host.Name()+" exit") {
		t.Errorf("offer says %q", said)
	}
	c.admin("route", "approve", gate.Host.Name(), "exit")
	w.eventually(soon, "the exit is listed", func() error {
		if said := laptop.types("exit", "list"); !strings.Contains(said, gate.Host.Name()) || !strings.Contains(said, "IPv4, IPv6") {
			return errors.New(said)
		}
		return nil
	})
	laptop.gets(remote, 80, laptop.Host.Addr().String(), soon) // nobody has asked for it
	if said := laptop.types("exit", "use", gate.Host.Name()); !strings.Contains(said, "leaves through "+gate.Host.Name()) {
		t.Errorf("use says %q", said)
	}
	leaked := w.leaks(laptop.Host)
	laptop.insists()
	laptop.gets(remote, 80, gate.Host.Addr().String(), soon)
	laptop.gets(remote6, 80, gate.Host.Addr6().String(), soon)
	laptop.getsNot(remote, 81)
	laptop.getsNot("203.0.113.1", 80) // not of the internet

	// A daemon that is killed leaves the door closed, and comes back to the same.
	laptop.Proc.Kill()
	laptop.getsNot(remote, 80)
	laptop.getsNot(remote6, 80)
	laptop.start()
	laptop.gets(remote, 80, gate.Host.Addr().String(), soon)

	// Without the exit nothing leaves.
	gate.stop()
	laptop.leaves(local.ExitAway)
	laptop.getsNot(remote, 80)
	laptop.getsNot(remote6, 80)
	gate.start()
	laptop.leaves(local.ExitInUse)
	laptop.gets(remote, 80, gate.Host.Addr().String(), 2*soon)

	// Policy takes it away, and gives it back.
	c.policy(`{"acls": [{"src": ["*"], "dst": ["*:7"], "proto": "tcp"}]}`)
	laptop.getsNotSoon(remote, 80)
	c.policy(throughExits)
	laptop.gets(remote, 80, gate.Host.Addr().String(), soon)
	if n := leaked(); n != 0 {
		t.Errorf("%d packets have left beside the exit", n)
	}

	// Off is at once, also without a controller.
	c.Proc.Kill()
	if said := laptop.types("exit", "off"); !strings.Contains(said, "as it would without") {
		t.Errorf("off says %q", said)
	}
	laptop.gets(remote, 80, laptop.Host.Addr().String(), soon)
	laptop.types("exit", "use", gate.Host.Name())
	laptop.gets(remote, 80, gate.Host.Addr().String(), soon)
	for _, n := range nodes {
		n.stop()
	}
	laptop.gets(remote, 80, laptop.Host.Addr().String(), soon)
	w.countsNoMore(laptop.Host)
	for n, before := range map[*node]string{gate: beforeGate, laptop: beforeLaptop} {
		w.eventually(soon, n.Host.Name()+" is as before", func() error {
			if now := w.network(n.Host) + w.knobs(n.Host, "eth0"); now != before {
				return fmt.Errorf("before:\n%s\nnow:\n%s", before, now)
			}
			return nil
		})
	}
}

// getsNotSoon waits until a server is out of reach.
func (n *node) getsNotSoon(at string, port int) {
	n.w.t.Helper()
	n.w.eventually(soon, at+" is out of reach", func() error {
		if as, err := n.seenAs(at, port, 500*time.Millisecond); err == nil {
			return fmt.Errorf("it is reached, as %s", as)
		}
		return nil
	})
}

// countsNoMore takes what counts leaks away.
func (w *world) countsNoMore(h *lab.Host) {
	w.t.Helper()
	w.must(h.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		c.DelTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "leaks"})
		return c.Flush()
	}))
}

// insists has a program try to reach the internet without a pause, as long as the story lasts: it would find a door that is open for a moment.
func (n *node) insists() {
	ctx, stop := context.WithCancel(n.w.ctx)
	done := make(chan struct{})
	n.w.t.Cleanup(func() { stop(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = n.seenAs(remote, 80, 20*time.Millisecond)
			_, _ = n.seenAs(remote6, 80, 20*time.Millisecond)
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
}

// From the moment when an exit is wanted until it is not any more nothing leaves beside it: not while a daemon starts without its controller, not while the
// network starts anew or another exit takes over, and not where the network cannot come up. The daemon itself talks to its controller all the while.
func TestNothingLeavesBesideAnExitWhateverStartsAnew(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(3)
	gate, other, laptop := nodes[0], nodes[1], nodes[2]
	w.faraway()
	c.policy(throughExits)
	laptop.stop()
	w.must(laptop.Host.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/eth0/rp_filter", []byte("1"), 0o644) }))
	before := w.network(laptop.Host) + w.knobs(laptop.Host, "eth0")
	laptop.start()
	laptop.becomes(local.Up, soon)
	for _, n := range []*node{gate, other} {
		n.types("exit", "offer")
		c.admin("route", "approve", n.Host.Name(), "exit")
	}
	w.eventually(soon, "the exits are listed", func() error {
		if got := len(laptop.in(office).Exits); got != 2 {
			return fmt.Errorf("%d", got)
		}
		return nil
	})
	laptop.types("exit", "use", gate.Host.Name())
	leaked := w.leaks(laptop.Host)
	never := func(when string) {
		t.Helper()
		if n := leaked(); n != 0 {
			t.Errorf("%s: %d packets have left beside the exit so far", when, n)
		}
	}
	laptop.insists()
	laptop.gets(remote, 80, gate.Host.Addr().String(), soon)

	laptop.types("exit", "use", other.Host.Name())
	laptop.gets(remote, 80, other.Host.Addr().String(), soon)
	never("another exit")
	laptop.types("set", "interface", "office0")
	laptop.gets(remote, 80, other.Host.Addr().String(), soon)
	laptop.types("up")
	laptop.gets(remote, 80, other.Host.Addr().String(), soon)
	never("the network anew")
	c.Proc.Kill()
	laptop.Proc.Kill()
	laptop.start()
	laptop.gets(remote, 80, other.Host.Addr().String(), 2*soon)
	never("a start without the controller")
	c.start()
	laptop.becomes(local.Up, 2*soon)

	clashing := laptop.address4(office)
	laptop.Proc.Kill()
	w.addLink(laptop.Host, "clash", clashing+"/24")
	laptop.start()
	laptop.becomes(local.Failed, soon)
	w.eventually(2*soon, "the daemon talks to its controller", func() error {
		if n := laptop.in(office); !n.Controller.Connected {
			return errors.New(n.Controller.Problem)
		}
		return nil
	})
	laptop.getsNot(remote, 80)
	laptop.getsNot(remote6, 80)
	if x := laptop.in(office).Exit; x == nil || x.State != local.ExitWaiting || x.Open {
		t.Errorf("the exit of a network that cannot come up: %+v", x)
	}
	if said, _ := laptop.CLI(w.ctx, "doctor", "--quick"); !strings.Contains(said, "[exit-waiting]") {
		t.Errorf("doctor says %q", said)
	}
	never("a network that cannot come up")
	if said := laptop.types("exit", "off"); !strings.Contains(said, "as it would without") {
		t.Errorf("off says %q", said)
	}
	laptop.gets(remote, 80, laptop.Host.Addr().String(), soon)
	laptop.types("set", "exit-node", gate.Host.Name())
	laptop.getsNot(remote, 80)
	laptop.types("down")
	laptop.gets(remote, 80, laptop.Host.Addr().String(), soon)
	if _, err := laptop.CLI(w.ctx, "up"); err == nil {
		t.Error("it came up in spite of the clash")
	}
	laptop.getsNot(remote, 80)
	laptop.Proc.Kill()
	laptop.getsNot(remote, 80)
	if out, err := laptop.Run(laptop.Host.Command(w.ctx, w.set.Path("cvland"), "--cleanup")); err != nil {
		t.Errorf("cvland --cleanup: %v %s", err, out)
	}
	laptop.gets(remote, 80, laptop.Host.Addr().String(), soon)
	laptop.start()
	laptop.types("logout", "--yes")
	w.dropLink(laptop.Host, "clash")
	w.countsNoMore(laptop.Host)
	w.eventually(soon, "the laptop is as before", func() error {
		if now := w.network(laptop.Host) + w.knobs(laptop.Host, "eth0"); now != before {
			return fmt.Errorf("before:\n%s\nnow:\n%s", before, now)
		}
		return nil
	})
}
