//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/cli/iox"
)

// policy puts a document in force.
func (c *controller) policy(text string) string {
	c.w.t.Helper()
	file := filepath.Join(c.w.t.TempDir(), "policy.hujson")
	c.w.must(os.WriteFile(file, []byte(text), 0o600))
	return c.admin("policy", "set", file, "--network", office)
}

// answer is a service on a node: it says what it hears.
func (n *node) answers(network string, port int) {
	n.w.t.Helper()
	at := netip.AddrPortFrom(n.in(office).Self.Addresses[0], uint16(port)).String()
	if network == "udp" {
		var c net.PacketConn
		n.w.must(n.Host.Do(func() (err error) { c, err = net.ListenPacket("udp", at); return err }))
		n.w.t.Cleanup(func() { c.Close() })
		go func() {
			for b := make([]byte, 2000); ; {
				k, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				c.WriteTo(b[:k], from)
			}
		}()
		return
	}
	var l net.Listener
	n.w.must(n.Host.Do(func() (err error) { l, err = net.Listen("tcp", at); return err }))
	n.w.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for b := make([]byte, 2000); ; {
					k, err := c.Read(b)
					if err != nil {
						return
					}
					if _, err := c.Write(b[:k]); err != nil {
						return
					}
				}
			}()
		}
	}()
}

// dial opens a conversation with a service of another node.
func (n *node) dials(network string, to *node, port int) (net.Conn, error) {
	n.w.t.Helper()
	var c net.Conn
	at := netip.AddrPortFrom(to.in(office).Self.Addresses[0], uint16(port)).String()
	err := n.Host.Do(func() (err error) { c, err = net.DialTimeout(network, at, time.Second); return err })
	return c, err
}

// says sends a word and waits for it to come back.
func says(c net.Conn, patience time.Duration) error {
	c.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 16)
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	k, err := c.Read(b)
	if err == nil && string(b[:k]) != "hello" {
		err = fmt.Errorf("%q came back", b[:k])
	}
	return err
}

// talks asks a service once.
func (n *node) talks(network string, to *node, port int) error {
	c, err := n.dials(network, to, port)
	if err != nil {
		return err
	}
	defer c.Close()
	return says(c, time.Second)
}

var errPassed = errors.New("it passes")

func not(err error) error {
	if err == nil {
		return errPassed
	}
	return nil
}

const people = `{
	"groups":    {"group:ops": ["ann@example.com"]},
	"tagOwners": {"tag:web": ["group:ops"], "tag:db": ["group:ops"]},
	"acls": [
		{"src": ["group:ops"], "dst": ["tag:web:22,443", "tag:db:22"], "proto": "tcp"},
		{"src": ["group:ops"], "dst": ["tag:web:*"], "proto": "icmp"},
		{"src": ["bob@example.com"], "dst": ["tag:web:443"], "proto": "tcp"},
		{"src": ["tag:web"], "dst": ["tag:db:5353"], "proto": "udp"},
		%s
	],
	"tests": [{"src": "bob@example.com", "accept": ["tag:web:443"], "deny": ["tag:web:22"]}],
}`

// Three people and two servers: what the document allows passes, from both ends, and nothing else does.
func TestPolicyDecidesBetweenPeopleAndServers(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(5)
	c := w.controller(r.Controller)
	for _, login := range []string{"ann@example.com", "bob@example.com", "cid@example.com"} {
		c.admin("user", "create", login)
	}
	keys := [][]string{{"--user", "ann@example.com"}, {"--user", "bob@example.com"}, {"--user", "cid@example.com"}, {"--tag", "tag:web"}, {"--tag", "tag:db"}}
	var all []*node
	for i, h := range r.Nodes {
		n := w.node(h)
		n.join(c.key(keys[i]...), "--hostname", []string{"ann", "bob", "cid", "web", "db"}[i])
		all = append(all, n)
	}
	ann, bob, cid, web, db := all[0], all[1], all[2], all[3], all[4]
	ann.reaches("web", soon) // everybody may reach everybody at first
	cid.reaches("db", soon)
	for _, n := range []*node{web, db} {
		n.answers("tcp", 22)
		n.answers("tcp", 443)
		n.answers("udp", 5353)
	}
	c.policy(fmt.Sprintf(people, ""))
	ann.comesToSee(soon, "db", "web")
	bob.comesToSee(soon, "web")
	cid.comesToSee(soon)
	web.comesToSee(soon, "ann", "bob", "db")
	for _, allowed := range []struct {
		network  string
		from, to *node
		port     int
	}{{"tcp", ann, web, 22}, {"tcp", ann, web, 443}, {"tcp", ann, db, 22}, {"tcp", bob, web, 443}, {"udp", web, db, 5353}} {
		w.eventually(soon, fmt.Sprint(allowed.network, " ", allowed.port), func() error { return allowed.from.talks(allowed.network, allowed.to, allowed.port) })
	}
	for _, denied := range []struct {
		network  string
		from, to *node
		port     int
	}{{"tcp", ann, db, 443}, {"tcp", bob, web, 22}, {"udp", ann, web, 5353}, {"tcp", web, db, 22}, {"udp", db, web, 5353}} {
		w.must(not(denied.from.talks(denied.network, denied.to, denied.port)))
	}
	w.must(ann.ask("web"))
	w.refused(bob.ask("web"), iox.Denied, "policy", "cvlan policy explain bob web/icmp")
	if log := bob.types("policy", "log"); !strings.Contains(log, "web") || !strings.Contains(log, ":22") {
		t.Errorf("bob's log does not tell what was denied:\n%s", log)
	}
	if says := c.admin("policy", "explain", "bob@example.com", "web:443/tcp", "--network", office); !strings.Contains(says, "llowed") {
		t.Errorf("%s", says)
	}
	c.hostile(bob, web)
}

// hostile lets a node whose own filter is gone send what it may not: the other end refuses it. Here a forged sender inside the tunnel
// stands for that.
func (c *controller) hostile(bob, web *node) {
	c.w.t.Helper()
	self := bob.in(office).Self.Addresses[0]
	stranger := netip.AddrFrom4([4]byte{self.As4()[0], self.As4()[1], 255, 254})
	if _, err := bob.Host.Run(c.w.ctx, "ping", "-c", "1", "-W", "1", "-I", stranger.String(), web.in(office).Self.Addresses[0].String()); err == nil {
		c.w.t.Error("a forged sender is answered")
	}
}

// An edit cuts what is running, and lets it go on if it is taken back.
func TestAnEditCutsARunningConnection(t *testing.T) {
	w := begin(t)
	c, n, _ := w.town(2)
	n[0].reaches("n2", soon)
	n[1].answers("tcp", 8080)
	conn, err := n[0].dials("tcp", n[1], 8080)
	w.must(err)
	defer conn.Close()
	w.must(says(conn, time.Second))
	cut := `{"acls": [{"src": ["*"], "dst": ["*:9090"]}]}`
	c.policy(cut)
	since := time.Now() // the command has returned: it is committed
	w.eventually(soon, "the connection is cut", func() error { return not(says(conn, 50*time.Millisecond)) })
	took := time.Since(since)
	t.Logf("cut %v after the command was back", took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("a running connection lived on for %v", took)
	}
	w.must(not(n[0].talks("tcp", n[1], 8080)))
	if status := c.admin("policy", "status", "--network", office); !strings.Contains(status, "2") {
		t.Errorf("%s", status)
	}
	c.admin("policy", "rollback", "1", "--network", office)
	w.eventually(soon, "a new connection", func() error { return n[0].talks("tcp", n[1], 8080) })
}
