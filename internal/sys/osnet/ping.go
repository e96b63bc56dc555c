package osnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// MaxPing bounds how long Ping waits for a reply, MaxPayload what it sends, in bytes.
const (
	MaxPing    = 30 * time.Second
	MaxPayload = 65000
)

// ErrNoReply is the error of a ping that nobody answered in time.
var ErrNoReply = errors.New("no reply")

// ping sends one echo request (RFC 792, RFC 4443 section 4) and waits for the reply that carries the same identifier, sequence
// number and payload.
func ping(ctx context.Context, iface string, to netip.Addr, payload int) (time.Duration, error) {
	if payload < 0 || payload > MaxPayload {
		return 0, fmt.Errorf("payload of %d bytes is outside 0 to %d", payload, MaxPayload)
	}
	ctx, cancel := context.WithTimeout(ctx, MaxPing)
	defer cancel()
	to = to.Unmap()
	conn, err := listenICMP(ctx, iface, to.Is6())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()

	e := newEcho(to, payload)
	sent := time.Now()
	if _, err := conn.WriteTo(e.request(), &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return 0, err
	}
	if err := e.await(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, fmt.Errorf("%w in %v: %w", ErrNoReply, time.Since(sent).Round(time.Millisecond), ctx.Err())
	} else if err != nil {
		return 0, err
	}
	return time.Since(sent), nil
}

// listenICMP opens a raw socket that sends out of the interface and hears echo replies.
func listenICMP(ctx context.Context, iface string, six bool) (net.PacketConn, error) {
	network, address := "ip4:icmp", "0.0.0.0"
	if six {
		network, address = "ip6:ipv6-icmp", "::"
	}
	lc := net.ListenConfig{Control: aim(iface, six)}
	return lc.ListenPacket(ctx, network, address)
}

// echo is one request.
type echo struct {
	to   netip.Addr
	body icmp.Echo
}

func newEcho(to netip.Addr, payload int) *echo {
	var b [4]byte
	rand.Read(b[:])
	e := &echo{to, icmp.Echo{ID: int(binary.BigEndian.Uint16(b[:])), Seq: int(binary.BigEndian.Uint16(b[2:])), Data: make([]byte, payload)}}
	rand.Read(e.body.Data)
	return e
}

func (e *echo) request() []byte {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &e.body}
	if e.to.Is6() {
		m.Type = ipv6.ICMPTypeEchoRequest // the kernel fills in the checksum
	}
	b, err := m.Marshal(nil)
	if err != nil {
		panic("osnet: an echo request does not marshal: " + err.Error())
	}
	return b
}

// await reads until the reply has come.
func (e *echo) await(conn net.PacketConn) error {
	buf := make([]byte, len(e.body.Data)+128)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		if a, ok := from.(*net.IPAddr); ok && e.answeredBy(a, buf[:n]) {
			return nil
		}
	}
}

// answeredBy reports whether a message is the reply.
func (e *echo) answeredBy(from *net.IPAddr, b []byte) bool {
	proto, reply := ipv4.ICMPTypeEchoReply.Protocol(), icmp.Type(ipv4.ICMPTypeEchoReply)
	if e.to.Is6() {
		proto, reply = ipv6.ICMPTypeEchoReply.Protocol(), ipv6.ICMPTypeEchoReply
	}
	if a, ok := netip.AddrFromSlice(from.IP); !ok || a.Unmap() != e.to {
		return false
	}
	m, err := icmp.ParseMessage(proto, b)
	if err != nil || m.Type != reply {
		return false
	}
	got, ok := m.Body.(*icmp.Echo)
	return ok && got.ID == e.body.ID && got.Seq == e.body.Seq && bytes.Equal(got.Data, e.body.Data)
}
