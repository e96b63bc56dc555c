package ike

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// baker makes cookies that prove that a stranger receives at the address it writes from, and remembers nobody (§2.6).
type baker struct {
	secrets [2][32]byte // this one and the one before
	since   mono.Time
	version byte
}

const cookieSize = 1 + 16

// turn changes the secret when it is old.
func (b *baker) turn(now mono.Time, random func([]byte)) {
	if !b.since.IsNever() && now.Sub(b.since) < secretLife {
		return
	}
	fresh := b.since.IsNever() || now.Sub(b.since) >= 2*secretLife
	b.secrets[1] = b.secrets[0]
	random(b.secrets[0][:])
	if fresh {
		random(b.secrets[1][:])
	}
	b.since, b.version = now, b.version+1
}

func (b *baker) bake(spi msg.SPI, nonce msg.Nonce, from netip.AddrPort) []byte {
	return b.cookie(0, spi, nonce, from)
}

// taste reports whether a cookie is one of ours for this sender.
func (b *baker) taste(cookie []byte, spi msg.SPI, nonce msg.Nonce, from netip.AddrPort) bool {
	if len(cookie) != cookieSize {
		return false
	}
	age := b.version - cookie[0]
	return age < 2 && hmac.Equal(cookie, b.cookie(int(age), spi, nonce, from))
}

func (b *baker) cookie(age int, spi msg.SPI, nonce msg.Nonce, from netip.AddrPort) []byte {
	mac := hmac.New(sha256.New, b.secrets[age][:])
	addr := from.Addr().As16()
	mac.Write(binary.BigEndian.AppendUint64(addr[:], uint64(spi)))
	mac.Write(binary.BigEndian.AppendUint16(nil, from.Port()))
	mac.Write(nonce)
	return append([]byte{b.version - byte(age)}, mac.Sum(nil)[:cookieSize-1]...)
}

// network is what half-open SAs are counted by: an address of IPv4, or the /64 of one of IPv6.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.Addr()
	}
	return a
}
