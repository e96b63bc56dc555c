package portmap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/core/igd"
	core "github.com/cvlan/cvlan/internal/core/portmap"
)

// Memory is a host in memory with its gateway. Fields are set before it is used; the methods may be called from any goroutine.
type Memory struct {
	Where             Link
	Outside           netip.Addr
	PCP, NATPMP, UPnP bool
	Permanent         bool          // UPnP knows no lifetimes
	Delay             time.Duration // of every answer

	mu       sync.Mutex
	conns    map[*memoryConn]struct{}
	mappings map[uint16]uint16 // outside port to ours
	booted   time.Time
}

var _ Host = (*Memory)(nil)

// NewMemory returns a host at 192.168.1.10 with a gateway that speaks nothing.
func NewMemory() *Memory {
	return &Memory{Where: Link{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("192.168.1.10"), 2}, Outside: netip.MustParseAddr("203.0.113.5"),
		conns: map[*memoryConn]struct{}{}, mappings: map[uint16]uint16{}, booted: time.Now()}
}

// Move puts the host elsewhere: behind another gateway, or, with the zero Link, none.
func (m *Memory) Move(l Link, outside netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Where, m.Outside = l, outside
}

// Reboot lets the gateway forget everything, and announce that it has started.
func (m *Memory) Reboot() {
	m.mu.Lock()
	m.mappings, m.booted = map[uint16]uint16{}, time.Now()
	gateway, outside := m.Where.Gateway, m.Outside
	m.mu.Unlock()
	for _, p := range []core.Protocol{core.PCP, core.NATPMP} {
		if p == core.PCP && m.PCP || p == core.NATPMP && m.NATPMP {
			a := core.Answer{Protocol: p, Addr: outside}
			m.deliver(netip.AddrPortFrom(gateway, core.Port), a.Append(nil), func(c *memoryConn) bool { return c.group })
		}
	}
}

// Mappings are the ports that lead to this host.
func (m *Memory) Mappings() map[uint16]uint16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[uint16]uint16{}
	for k, v := range m.mappings {
		all[k] = v
	}
	return all
}

// Link implements Host.
func (m *Memory) Link() (Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.Where.Gateway.IsValid() {
		return Link{}, ErrNoGateway
	}
	return m.Where, nil
}

// Open implements Host.
func (m *Memory) Open(l Link) (Conn, error) { return m.open(l, false), nil }

// Announcements implements Host.
func (m *Memory) Announcements(l Link) (Conn, error) { return m.open(l, true), nil }

func (m *Memory) open(l Link, group bool) Conn {
	c := &memoryConn{m: m, gateway: l.Gateway, group: group, in: make(chan datagram, queued), closed: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[c] = struct{}{}
	return c
}

// deliver brings a datagram to the sockets that want it.
func (m *Memory) deliver(from netip.AddrPort, b []byte, wants func(*memoryConn) bool) {
	time.AfterFunc(m.Delay, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for c := range m.conns {
			if wants(c) {
				select {
				case c.in <- datagram{from, b}:
				default:
				}
			}
		}
	})
}

type memoryConn struct {
	m       *Memory
	gateway netip.Addr
	group   bool // hears announcements
	in      chan datagram
	closed  chan struct{}
	once    sync.Once
}

func (c *memoryConn) ReadFrom(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-c.in:
		return copy(b, d.data), d.from, nil
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *memoryConn) Close() error {
	c.once.Do(func() {
		c.m.mu.Lock()
		defer c.m.mu.Unlock()
		delete(c.m.conns, c)
		close(c.closed)
	})
	return nil
}

// WriteTo lets the gateway answer.
func (c *memoryConn) WriteTo(b []byte, to netip.AddrPort) error {
	here := func(x *memoryConn) bool { return x == c }
	gateway := c.gateway
	switch {
	case to.Port() == igd.Group.Port() && c.m.UPnP && strings.HasPrefix(string(b), "M-SEARCH"):
		c.m.deliver(netip.AddrPortFrom(gateway, 1900), fmt.Appendf(nil,
			"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: http://%v:5000/root.xml\r\n\r\n", gateway), here)
	case to == netip.AddrPortFrom(gateway, core.Port):
		if a, ok := c.m.answer(b); ok {
			c.m.deliver(to, a.Append(nil), here)
		}
	}
	return nil
}

// answer is what the gateway says to a question.
func (m *Memory) answer(b []byte) (core.Answer, bool) {
	q, err := core.ParseRequest(b)
	m.mu.Lock()
	defer m.mu.Unlock()

	if err != nil || q.Protocol == core.PCP && !m.PCP || q.Protocol == core.NATPMP && !m.NATPMP {
		return core.Answer{}, false
	}
	a := core.Answer{Protocol: q.Protocol, Op: q.Op, Nonce: q.Nonce, Internal: q.Internal, External: q.External, Lifetime: q.Lifetime,
		Epoch: uint32(time.Since(m.booted) / time.Second), Addr: m.Outside}
	if q.Op == core.Map {
		m.set(q.External, q.Internal, q.Lifetime > 0)
	}
	return a, true
}

// set makes or releases a mapping. The lock is held.
func (m *Memory) set(external, internal uint16, there bool) {
	for k, v := range m.mappings {
		if v == internal {
			delete(m.mappings, k)
		}
	}
	if there {
		m.mappings[external] = internal
	}
}

// Dial implements Host: the gateway's web server.
func (m *Memory) Dial(_ context.Context, l Link, to netip.AddrPort) (net.Conn, error) {
	if !m.UPnP || to != netip.AddrPortFrom(l.Gateway, 5000) {
		return nil, fmt.Errorf("dial %v: connection refused", to)
	}
	ours, theirs := net.Pipe()
	go m.serve(theirs)
	return ours, nil
}

func (m *Memory) serve(c net.Conn) {
	defer c.Close()
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	status, text := m.soap(req.Method, string(body))
	time.Sleep(m.Delay)
	fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(text), text)
}

func (m *Memory) soap(method, body string) (status, text string) {
	number := func(name string) (n uint16) {
		_, rest, _ := strings.Cut(body, "<"+name+">")
		fmt.Sscan(strings.ReplaceAll(rest, "<", " "), &n)
		return n
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case method == http.MethodGet:
		return "200 OK", "<root><device><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>" +
			"<controlURL>/control</controlURL></service></serviceList></device></root>"
	case strings.Contains(body, "u:GetExternalIPAddress"):
		return "200 OK", "<Envelope><NewExternalIPAddress>" + m.Outside.String() + "</NewExternalIPAddress></Envelope>"
	case strings.Contains(body, "u:AddPortMapping") && m.Permanent && number("NewLeaseDuration") != 0:
		return "500 Internal Server Error", "<Envelope><Fault><errorCode>725</errorCode></Fault></Envelope>"
	case strings.Contains(body, "u:AddPortMapping"):
		m.set(number("NewExternalPort"), number("NewInternalPort"), true)
		return "200 OK", "<Envelope/>"
	case strings.Contains(body, "u:DeletePortMapping"):
		delete(m.mappings, number("NewExternalPort"))
		return "200 OK", "<Envelope/>"
	default:
		return "500 Internal Server Error", "<Envelope><Fault><errorCode>401</errorCode></Fault></Envelope>"
	}
}
