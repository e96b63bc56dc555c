//go:build e2e && linux

package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab"
)

// wg reads the tunnel of the office as `cvlan wg show` tells it.
func (n *node) wg() local.WGNetwork {
	n.w.t.Helper()
	var all local.WireGuard
	n.w.must(json.Unmarshal([]byte(n.types("wg", "show", "--network", office, "--json")), &all))
	if len(all.Networks) != 1 {
		n.w.t.Fatalf("%d networks of that name", len(all.Networks))
	}
	return all.Networks[0]
}

func TestWGShowTellsWhatTheTunnelDoes(t *testing.T) {
	w := begin(t)
	_, nodes, _ := w.town(2)
	nodes[0].reaches("n2", soon)
	n := nodes[0].wg()
	p := n.Peers[0]
	if n.Interface == "" || n.Port == 0 || n.Workers != 1 || n.Memory == 0 || n.Key != nodes[0].in(office).Self.Key {
		t.Errorf("the tunnel %+v", n)
	}
	if p.Name != "n2" || p.Endpoint == nil || p.LatestHandshake == nil || p.KeysSince == nil || p.RxPackets == 0 || p.TxBytes == 0 || len(p.AllowedIPs) != 2 {
		t.Errorf("the peer %+v", p)
	}
}

// conversation moves n random bytes from one host to an inner address of another over TCP, and checks that they arrived.
func (w *world) conversation(from, at *lab.Host, to netip.Addr, n int) error {
	var l net.Listener
	var c net.Conn
	err := at.Do(func() (err error) { l, err = net.Listen("tcp", netip.AddrPortFrom(to, 0).String()); return err })
	if err != nil {
		return err
	}
	defer l.Close()
	got := make(chan [sha256.Size]byte, 1)
	go func() {
		defer close(got)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		h := sha256.New()
		if k, err := io.Copy(h, c); err == nil && k == int64(n) {
			got <- [sha256.Size]byte(h.Sum(nil))
		}
	}()
	err = from.Do(func() (err error) { c, err = net.DialTimeout("tcp", l.Addr().String(), 3*time.Second); return err })
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(soon))
	body := make([]byte, n)
	rand.Read(body)
	if _, err := c.Write(body); err != nil {
		return err
	}
	c.Close()
	if sum := <-got; sum != sha256.Sum256(body) {
		return errors.New("what arrived is not what was sent")
	}
	return nil
}

// A path that is narrower than the network's packets carries them all the same.
func TestALargeTransferPassesANarrowPath(t *testing.T) {
	w := begin(t)
	_, nodes, r := w.town(2)
	nodes[0].reaches("n2", soon)
	to := nodes[1].in(office).Self.Addresses[0]
	for _, mtu := range []int{0, 1400, 1280} {
		r.Sites[1].MTU(mtu)
		w.must(w.conversation(r.Nodes[0], r.Nodes[1], to, 1<<20))
		w.must(w.conversation(r.Nodes[1], r.Nodes[0], nodes[0].in(office).Self.Addresses[0], 1<<20))
	}
}

func TestAnInterfaceThatIsTakenAwayIsMadeAgain(t *testing.T) {
	w := begin(t)
	_, nodes, r := w.town(2)
	nodes[0].reaches("n2", soon)
	name := nodes[1].in(office).Interface
	w.must(r.Nodes[1].Do(func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkDel(l)
	}))
	nodes[0].reaches("n2", resumes)
	nodes[1].becomes(local.Up, soon)
}

// A device that runs WireGuard and nothing of ours takes the configuration that an admin made for it, and reaches the nodes that were
// named, and no other.
func TestAPlainDeviceReachesTheNodesItWasGiven(t *testing.T) {
	w := begin(t)
	c, nodes, r := w.town(2)
	nodes[0].reaches("n2", soon)
	phone := w.lab.Public("phone")
	conf := "/var/lib/phone.conf"
	c.admin("peer", "create", "phone", "--network", office, "--node", "n1", "--export", "wg-quick", "--out", conf)
	d := w.plain(phone, c.Host.Path(conf))
	defer d.close()

	n1, n2 := nodes[0].in(office).Self.Addresses[0], nodes[1].in(office).Self.Addresses[0]
	w.eventually(resumes, "the phone reaches n1", func() error { return w.conversation(phone, r.Nodes[0], n1, 1<<20) })
	w.must(w.conversation(r.Nodes[0], phone, d.addr, 1<<20))
	if err := w.conversation(phone, r.Nodes[1], n2, 1); err == nil {
		t.Error("it reaches a node that was not named")
	}
	nodes[0].reaches("phone", soon)
	nodes[0].comesToSee(soon, "n2", "phone")
	nodes[1].comesToSee(soon, "n1")
	for _, p := range nodes[0].wg().Peers {
		if p.Name == "phone" && (!p.Preshared || p.LatestHandshake == nil) {
			t.Errorf("%+v", p)
		}
	}
	c.admin("peer", "delete", "phone", "--yes")
	nodes[0].comesToSee(soon, "n2")
	w.eventually(soon, "it reaches nobody any more", func() error {
		if w.conversation(phone, r.Nodes[0], n1, 1) == nil {
			return fmt.Errorf("it does")
		}
		return nil
	})
}
