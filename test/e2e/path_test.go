//go:build e2e && linux

package e2e

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/lab"
)

// resumes is how long WireGuard's timers need to find a peer again: a handshake is tried every five seconds.
const resumes = 20 * time.Second

func TestACutPathHeals(t *testing.T) {
	w := begin(t)
	_, nodes, r := w.town(2)
	nodes[0].reaches("n2", soon)
	w.lab.Cut(r.Nodes[0], r.Nodes[1])
	w.eventually(soon, "pings stop", func() error { return reached(nodes[0].ask("n2")) })
	w.lab.Heal(r.Nodes[0], r.Nodes[1])
	nodes[0].reaches("n2", resumes)
	nodes[1].reaches("n1", resumes)
}

func TestALongCutHeals(t *testing.T) {
	w := begin(t)
	_, nodes, r := w.town(2)
	nodes[0].reaches("n2", soon)
	w.lab.Cut(r.Nodes[0], r.Nodes[1])
	until := time.Now().Add(40 * time.Second)
	w.eventually(time.Minute, "a time without an answer", func() error {
		if err := nodes[0].ask("n2"); err == nil {
			t.Fatal("it answers through a cut")
		}
		if time.Now().Before(until) {
			return fmt.Errorf("not over")
		}
		return nil
	})
	w.lab.Heal(r.Nodes[0], r.Nodes[1])
	nodes[0].reaches("n2", resumes)
	nodes[1].reaches("n1", resumes)
}

func TestANodeComesBackOnItsLink(t *testing.T) {
	w := begin(t)
	c, nodes, r := w.town(2)
	nodes[0].reaches("n2", soon)
	link := w.index(nodes[1].Host, nodes[1].in(office).Interface)
	r.Nodes[1].Unplug()
	w.eventually(soon, "pings stop", func() error { return reached(nodes[0].ask("n2")) })
	r.Nodes[1].Plug()
	nodes[0].reaches("n2", resumes)
	nodes[1].reaches("n1", resumes)
	c.admin("node", "rename", "n1", "db-7")
	nodes[1].comesToSee(30*time.Second, "db-7") // over the session that was probed or made anew
	if now := w.index(nodes[1].Host, nodes[1].in(office).Interface); now != link {
		t.Error("its tunnel's interface was made anew")
	}
}

func TestANodeMovesToAnotherAddress(t *testing.T) {
	w := begin(t)
	_, nodes, r := w.town(2)
	nodes[0].reaches("n2", soon)
	to := netip.MustParseAddr("198.18.2.77")
	w.moves(r.Nodes[1], to, netip.MustParseAddr("198.18.2.1"))
	nodes[0].reaches("n2", resumes)
	nodes[1].reaches("n1", resumes)
	w.eventually(resumes, "the new endpoint is reported and used", func() error {
		p := nodes[0].in(office).Peers[0]
		for _, candidate := range p.Candidates {
			if candidate.Addr() == to && p.Endpoint != nil && (p.Endpoint.Addr() == to || p.Endpoint.Addr().Is6()) {
				return nil
			}
		}
		return fmt.Errorf("its endpoint is %v, its candidates are %v", p.Endpoint, p.Candidates)
	})
}

// moves gives a computer on a LAN another IPv4 address in the place of its own, as DHCP may.
func (w *world) moves(h *lab.Host, to, gateway netip.Addr) {
	w.t.Helper()
	w.must(h.Do(func() error {
		l, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		old, err := netlink.AddrList(l, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, a := range old {
			if err := netlink.AddrDel(l, &a); err != nil {
				return err
			}
		}
		a, err := netlink.ParseAddr(to.String() + "/24")
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(l, a); err != nil {
			return err
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway.AsSlice()})
	}))
}
