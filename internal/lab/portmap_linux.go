package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/google/nftables"
)

// portMapper is the part of a router that opens UDP ports when a computer of the LAN asks, by NAT-PMP (RFC 6886) and PCP (RFC 6887: MAP
// and ANNOUNCE). It is written apart from the product's own codec, so that neither's mistakes hide in the other. Where the site has IPv6
// behind a filter, PCP opens pinholes in that.
type portMapper struct {
	router *Host
	conns  []*net.UDPConn
	done   sync.WaitGroup

	mu     sync.Mutex
	set    *nftables.Set // outside port -> inside socket; another one after a restart
	holes  *nftables.Set // inside addresses and ports of IPv6; nil: there is no filter
	open   map[uint16]netip.AddrPort
	began  time.Time
	failed error
}

const (
	portMapPort = 5351
	longestMap  = 7200 // seconds

	pmpUnsupported, pmpResources             = 5, 4     // RFC 6886, section 3.5
	pcpVersion, pcpResources, pcpWrongSender = 1, 8, 12 // RFC 6887, section 7.4
)

// listenForPortMaps opens the sockets at which the router will be asked; what comes before serve waits in them.
func (s *Site) listenForPortMaps() error {
	m := &portMapper{router: s.router}
	for _, lan := range []netip.Prefix{s.lan4, s.lan6} {
		if !lan.IsValid() {
			continue
		}
		var c *net.UDPConn
		err := s.router.Do(func() (err error) {
			c, err = net.ListenUDP("udp", &net.UDPAddr{IP: nth(lan, 1).AsSlice(), Port: portMapPort})
			return err
		})
		if err != nil {
			return fmt.Errorf("serve port mappings: %w", err)
		}
		m.conns = append(m.conns, c)
	}
	s.mapper = m
	s.lab.served = append(s.lab.served, m)
	return nil
}

// start answers requests, once the tables stand into which the answers go.
func (m *portMapper) start() {
	for _, c := range m.conns {
		m.done.Go(func() { m.serve(c) })
	}
}

// restart begins with empty tables.
func (m *portMapper) restart(conn *nftables.Conn, set *nftables.Set) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holes != nil {
		conn.FlushSet(m.holes)
		if err := conn.Flush(); err != nil {
			m.failed = err
		}
	}
	m.set, m.open, m.began = set, map[uint16]netip.AddrPort{}, time.Now()
}

// Close ends the service, and tells what failed in it.
func (m *portMapper) Close() error {
	for _, c := range m.conns {
		c.Close()
	}
	m.done.Wait()
	return m.failed
}

func (m *portMapper) serve(c *net.UDPConn) {
	b := make([]byte, 1100)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if answer := m.answer(b[:n], from); answer != nil {
			_, _ = c.WriteToUDPAddrPort(answer, from) // a lost answer is asked for again
		}
	}
}

func (m *portMapper) answer(b []byte, from netip.AddrPort) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	epoch := uint32(time.Since(m.began).Seconds())
	who := from.Addr().Unmap()
	switch {
	case len(b) < 2 || b[1] >= 128:
		return nil
	case b[0] == 0:
		return m.pmp(b, who, epoch)
	case b[0] == 2:
		return m.pcp(b, who, epoch)
	}
	return append([]byte{2, b[1] | 0x80, 0, pcpVersion}, make([]byte, 20)...)
}

// pmp answers NAT-PMP.
func (m *portMapper) pmp(b []byte, who netip.Addr, epoch uint32) []byte {
	head := binary.BigEndian.AppendUint32([]byte{0, b[1] | 0x80, 0, 0}, epoch)
	switch {
	case b[1] == 0:
		return append(head, m.router.v4.AsSlice()...)
	case b[1] != 1 || len(b) < 12:
		head[3] = pmpUnsupported
		return head
	}
	inside := netip.AddrPortFrom(who, binary.BigEndian.Uint16(b[4:]))
	life := min(binary.BigEndian.Uint32(b[8:]), longestMap)
	port, ok := m.assign(inside, binary.BigEndian.Uint16(b[6:]), life)
	if !ok {
		head[3] = pmpResources
	}
	head = binary.BigEndian.AppendUint16(head, inside.Port())
	head = binary.BigEndian.AppendUint16(head, port)
	return binary.BigEndian.AppendUint32(head, life)
}

// pcp answers PCP.
func (m *portMapper) pcp(b []byte, who netip.Addr, epoch uint32) []byte {
	if len(b) < 24 {
		return nil
	}
	life := min(binary.BigEndian.Uint32(b[4:]), longestMap)
	head := binary.BigEndian.AppendUint32([]byte{2, b[1] | 0x80, 0, 0}, life)
	head = append(binary.BigEndian.AppendUint32(head, epoch), make([]byte, 12)...)
	if b[1] == 0 {
		return head
	}
	const udp = 17
	if b[1] != 1 || len(b) < 60 || b[36] != udp {
		head[3] = 4 // UNSUPP_OPCODE, and UNSUPP_PROTOCOL in the same breath
		return head
	}
	body := append([]byte(nil), b[24:60]...)
	if netip.AddrFrom16([16]byte(b[8:24])).Unmap() != who {
		head[3] = pcpWrongSender
		return append(head, body...)
	}
	inside, outside := netip.AddrPortFrom(who, binary.BigEndian.Uint16(body[16:])), m.router.v4.As16()
	port, ok := inside.Port(), false
	if who.Is6() {
		ok, outside = m.pierce(inside, life), who.As16()
	} else {
		port, ok = m.assign(inside, binary.BigEndian.Uint16(body[18:]), life)
	}
	if !ok {
		head[3] = pcpResources
	}
	binary.BigEndian.PutUint16(body[18:], port)
	copy(body[20:], outside[:])
	return append(head, body...)
}

// assign opens a port for an inside socket, keeps the one it has, or closes it when life is 0.
func (m *portMapper) assign(inside netip.AddrPort, want uint16, life uint32) (uint16, bool) {
	for port, who := range m.open {
		if who == inside {
			want = port
		}
	}
	for want < 1024 || m.open[want].IsValid() && m.open[want] != inside {
		want = max(1024, want+1)
	}
	conn, err := m.router.firewall()
	if err != nil {
		m.failed = err
		return 0, false
	}
	key := nftables.SetElement{Key: binary.BigEndian.AppendUint16(nil, want)}
	if m.open[want].IsValid() {
		_ = conn.SetDeleteElements(m.set, []nftables.SetElement{key})
		_ = conn.Flush() // its time may have come by itself
		delete(m.open, want)
	}
	if life == 0 {
		return want, true
	}
	key.Val = append(inside.Addr().AsSlice(), byte(inside.Port()>>8), byte(inside.Port()), 0, 0)
	key.Timeout = time.Duration(life) * time.Second
	err = conn.SetAddElements(m.set, []nftables.SetElement{key})
	if err == nil {
		err = conn.Flush()
	}
	if err != nil {
		m.failed = fmt.Errorf("open port %d: %w", want, err)
		return 0, false
	}
	m.open[want] = inside
	return want, true
}

// pierce opens the IPv6 filter for an inside socket, or closes it when life is 0.
func (m *portMapper) pierce(inside netip.AddrPort, life uint32) bool {
	if m.holes == nil {
		return true // nothing stands in the way
	}
	conn, err := m.router.firewall()
	if err != nil {
		m.failed = err
		return false
	}
	hole := nftables.SetElement{Key: append(inside.Addr().AsSlice(), byte(inside.Port()>>8), byte(inside.Port()), 0, 0)}
	_ = conn.SetDeleteElements(m.holes, []nftables.SetElement{hole})
	_ = conn.Flush() // there may have been none
	if life == 0 {
		return true
	}
	hole.Timeout = time.Duration(life) * time.Second
	if err = conn.SetAddElements(m.holes, []nftables.SetElement{hole}); err == nil {
		err = conn.Flush()
	}
	if err != nil {
		m.failed = fmt.Errorf("open a pinhole for %v: %w", inside, err)
	}
	return err == nil
}
