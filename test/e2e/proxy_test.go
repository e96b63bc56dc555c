//go:build e2e && linux

package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab"
)

// proxy serves CONNECT at a public host's port 443, for who knows the password, until the story ends.
func (w *world) proxy(h *lab.Host) {
	w.t.Helper()
	var l net.Listener
	w.must(h.Do(func() (err error) {
		l, err = net.Listen("tcp4", ":443")
		return err
	}))
	w.t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go passOn(h, c)
		}
	}()
}

func passOn(h *lab.Host, c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	q, err := http.ReadRequest(r)
	if err != nil || q.Method != http.MethodConnect || q.Header.Get("Proxy-Authorization") != "Basic ZXZhOnNlY3JldA==" {
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
		return
	}
	var there net.Conn
	if h.Do(func() (err error) {
		there, err = net.DialTimeout("tcp4", q.Host, 5*time.Second)
		return err
	}) != nil {
		return
	}
	defer there.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(there, r)
		there.Close()
	}()
	_, _ = io.Copy(c, there)
}

// In an office whose firewall lets nothing out, but for its proxy, a machine joins, is told of changes, and carries a megabyte each way.
func TestAProxyIsWayEnough(t *testing.T) {
	w := begin(t)
	c := w.controller(w.lab.Public("ctl"), "--with-relay")
	px := w.lab.Public("px")
	w.proxy(px)
	key := c.key("--uses", "2")
	home := w.node(w.lab.Site("s1", "port").Host("n1"))
	home.join(key)
	d, err := w.set.Proxied(w.ctx, w.lab.Site("s2", "port+tcp443").Host("n2"), "http://eva:secret@"+px.Addr().String()+":443", "--log-level", "debug")
	w.must(err)
	n := &node{d, w}
	n.join(key)
	if by := n.in(office).Controller; by.Transport != "tcp" || by.Proxy != px.Addr().String()+":443" {
		t.Errorf("the controller is reached by %+v", by)
	}
	n.reachesBy("n1", local.PathRelay, soon)
	w.must(w.conversation(n.Host, home.Host, home.in(office).Self.Addresses[0], 1<<20))
	w.must(w.conversation(home.Host, n.Host, n.in(office).Self.Addresses[0], 1<<20))
	if said := n.types("netcheck"); !strings.Contains(said, "Nothing passes but the proxy") || !strings.Contains(said, px.Addr().String()+":443") {
		t.Errorf("netcheck says:\n%s", said)
	}
	if strings.Contains(n.Proc.Log(), "secret") {
		t.Error("the proxy's password is in the log")
	}
	c.admin("node", "rename", "n1", "db-7")
	n.comesToSee(soon, "db-7")
}
