//go:build e2e && linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
)

// resolv is a host's resolv.conf.
func (w *world) resolv(h *lab.Host) (content string) {
	w.t.Helper()
	w.must(h.Do(func() error {
		b, err := os.ReadFile("/etc/resolv.conf")
		content = string(b)
		return err
	}))
	return content
}

func (w *world) writeResolv(h *lab.Host, content string) {
	w.t.Helper()
	w.must(h.Do(func() error { return os.WriteFile("/etc/resolv.conf", []byte(content), 0o644) }))
}

// getent resolves a name as every program on a host does that uses the C library.
func (w *world) getent(h *lab.Host, args ...string) (string, error) {
	out, err := h.Run(w.ctx, "getent", args...)
	return strings.Join(strings.Fields(out), " "), err
}

// finds waits until programs of a node are told an address.
func (n *node) finds(name, address string) {
	n.w.t.Helper()
	n.w.eventually(soon, name+" is found by "+n.Host.Name(), func() error {
		got, err := n.w.getent(n.Host, "ahostsv4", name)
		if err == nil && !strings.HasPrefix(got, address+" ") {
			err = fmt.Errorf("it is %q, want %s", got, address)
		}
		return err
	})
}

func (n *node) findsNot(name string) {
	n.w.t.Helper()
	n.w.eventually(soon, name+" is found no more by "+n.Host.Name(), func() error {
		if got, err := n.w.getent(n.Host, "hosts", name); err == nil {
			return fmt.Errorf("it is %s", got)
		}
		return nil
	})
}

// address4 is a node's own in a network.
func (n *node) address4(network string) string {
	n.w.t.Helper()
	for _, a := range n.in(network).Self.Addresses {
		if a.Is4() {
			return a.String()
		}
	}
	n.w.t.Fatal("it has no IPv4 address")
	return ""
}

func TestMachinesAreFoundByName(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(3)
	a, b := nodes[0], nodes[1]
	b4 := b.address4(office)
	domain := a.in(office).Domain
	a.finds("n2", b4)
	a.finds("n2."+domain, b4)
	a.finds("N2."+strings.ToUpper(domain), b4)
	a.finds("n1", a.address4(office))
	if got, err := w.getent(a.Host, "hosts", b4); err != nil || !strings.HasSuffix(got, " n2."+domain) {
		t.Errorf("%s is called %q, %v", b4, got, err)
	}
	if got := a.types("dns", "query", "n2", "-q"); !strings.HasPrefix(got, b4) {
		t.Errorf("dns query answers %q", got)
	}
	a.findsNot("nobody")
	a.findsNot("n2.lab.acme.cvlan.internal")

	c.admin("node", "rename", "n2", "web-1")
	a.finds("web-1", b4)
	a.findsNot("n2")
	c.admin("node", "delete", "n3", "--yes")
	a.findsNot("n3")

	a.types("set", "dns", "off")
	a.findsNot("web-1")
	if got := w.resolv(a.Host); strings.Contains(got, "cvlan") {
		t.Errorf("with dns off there still is\n%s", got)
	}
	a.types("set", "dns", "on")
	a.finds("web-1", b4)
	a.stop()
	if got := w.resolv(a.Host); strings.Contains(got, "cvlan") {
		t.Errorf("after the daemon's end there still is\n%s", got)
	}
}

func TestAResolvConfSurvivesAKilledDaemon(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	key := c.key("--uses", "2")
	const own = "# written by somebody else\nnameserver 192.0.2.53\nsearch example.com\noptions timeout:1"
	w.writeResolv(r.Nodes[0], own)
	a, b := w.node(r.Nodes[0]), w.node(r.Nodes[1])
	a.join(key)
	b.join(key)
	name := "n2." + a.in(office).Domain // in full: nobody answers for example.com here
	a.finds(name, b.address4(office))
	a.Proc.Kill()
	if got := w.resolv(a.Host); got == own || !strings.Contains(got, "nameserver 192.0.2.53") {
		t.Errorf("behind a killed daemon there is\n%s", got)
	}
	a.start()
	a.finds(name, b.address4(office))
	a.Proc.Kill()
	if out, err := a.Run(a.Host.Command(w.ctx, w.set.Path("cvland"), "--cleanup")); err != nil {
		t.Errorf("cvland --cleanup: %v %s", err, out)
	}
	if got := w.resolv(a.Host); got != own {
		t.Errorf("after the cleanup it is\n%q", got)
	}
}

func TestWhatOthersTakeOutIsPutBackAndNotForEver(t *testing.T) {
	w := begin(t)
	_, nodes, _ := w.town(2)
	a, b := nodes[0], nodes[1]
	a.finds("n2", b.address4(office))
	w.must(a.Host.Do(func() error { // as dhcpcd does it
		if err := os.WriteFile("/etc/resolv.conf.new", []byte("nameserver 192.0.2.99\n"), 0o644); err != nil {
			return err
		}
		return os.Rename("/etc/resolv.conf.new", "/etc/resolv.conf")
	}))
	w.eventually(30*time.Second, "our lines are back", func() error {
		if got := w.resolv(a.Host); !strings.Contains(got, "nameserver 127.0.67.53") || !strings.Contains(got, "nameserver 192.0.2.99") {
			return fmt.Errorf("it is\n%s", got)
		}
		return nil
	})
	a.finds("n2", b.address4(office))
	a.stop()
	if got := w.resolv(a.Host); got != "nameserver 192.0.2.99\n" {
		t.Errorf("in the end it is\n%s", got)
	}
}

func TestNamesOfTwoNetworksAtOnce(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(3)
	c := w.controller(r.Controller)
	c.admin("network", "create", "plant")
	plantKey, err := c.Key(w.ctx, "plant", "--uses", "2")
	w.must(err)
	key := c.key("--uses", "2")
	both, inOffice, inPlant := w.node(r.Nodes[0]), w.node(r.Nodes[1]), w.node(r.Nodes[2])
	both.join(key)
	both.join(plantKey)
	inOffice.join(key)
	inPlant.join(plantKey)
	both.finds("n2", inOffice.address4(office))
	both.finds("n3", inPlant.address4("plant"))
	inOffice.findsNot("n3")
	both.types("down", "--network", "plant")
	both.findsNot("n3")
	both.finds("n2", inOffice.address4(office))
}

func TestAnotherDNSServerHasThePort(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	before := w.resolv(n.Host)
	var other net.PacketConn // binds to all addresses, as many do
	w.must(n.Host.Do(func() (err error) {
		other, err = net.ListenPacket("udp4", "0.0.0.0:53")
		return err
	}))
	defer other.Close()
	n.join(c.key())
	w.eventually(soon, "the status says so", func() error {
		for _, p := range n.in(office).Warnings {
			if p.Code == "names-port-taken" {
				return nil
			}
		}
		return fmt.Errorf("%+v", n.in(office).Warnings)
	})
	if got := w.resolv(n.Host); got != before {
		t.Errorf("resolv.conf became\n%s", got)
	}
	if got := n.types("dns", "query", "n1", "-q"); !strings.HasPrefix(got, n.address4(office)) {
		t.Errorf("dns query answers %q", got)
	}
}
