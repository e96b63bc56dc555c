package wg

import (
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"io"
	"net/netip"

	"golang.org/x/crypto/blake2s"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// Labels of the two keys that everybody can derive from a public key, §5.4.4 and §5.4.7.
const (
	labelMAC1   = "mac1----"
	labelCookie = "cookie--"
)

// mac is the keyed BLAKE2s of §5.4, 16 bytes.
func mac(k []byte, parts ...[]byte) (sum [macSize]byte) {
	h := keyed(k)
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

func keyed(k []byte) hash.Hash {
	h, err := blake2s.New128(k)
	if err != nil {
		panic("wg: BLAKE2s refuses its key: " + err.Error())
	}
	return h
}

func labelled(label string, public key.WGPublic) [keySize]byte {
	return blake2s.Sum256(append([]byte(label), public[:]...))
}

// guard is the receiving side of the MACs: it drops what was not meant for us before any expensive work, and under load it
// makes senders prove that they can be reached at the address that they write from.
type guard struct {
	mac1        hash.Hash // keyed; it works for one message at a time
	sum         [macSize]byte
	cookie      [keySize]byte
	secret      [keySize]byte
	secretSince mono.Time // Never: there is no secret yet
}

func newGuard(public key.WGPublic) guard {
	k := labelled(labelMAC1, public)
	return guard{mac1: keyed(k[:]), cookie: labelled(labelCookie, public)}
}

// addressed reports whether the sender of a handshake message knows our public key.
func (g *guard) addressed(msg []byte) bool {
	g.mac1.Reset()
	g.mac1.Write(underMAC1(msg))
	return subtle.ConstantTimeCompare(g.mac1.Sum(g.sum[:0]), mac1Of(msg)) == 1
}

// reachable reports whether the sender holds the cookie that was sent to addr.
func (g *guard) reachable(now mono.Time, msg []byte, addr netip.AddrPort) bool {
	if g.secretSince.IsNever() || now.Sub(g.secretSince) >= cookieLife {
		return false
	}
	cookie := g.cookieFor(addr)
	want := mac(cookie[:], underMAC2(msg))
	return subtle.ConstantTimeCompare(want[:], mac2Of(msg)) == 1
}

// challenge fills reply with the cookie for addr, sealed so that only who sent msg can read it.
func (g *guard) challenge(now mono.Time, rnd io.Reader, reply cookieReply, msg []byte, sender uint32, addr netip.AddrPort) {
	if g.secretSince.IsNever() || now.Sub(g.secretSince) >= cookieLife {
		fill(rnd, g.secret[:])
		g.secretSince = now
	}
	reply.begin(sender)
	fill(rnd, reply.nonce())
	cookie := g.cookieFor(addr)
	extended(&g.cookie).Seal(reply.sealed()[:0], reply.nonce(), cookie[:], mac1Of(msg))
}

func (g *guard) cookieFor(addr netip.AddrPort) [macSize]byte {
	ip := addr.Addr().As16()
	return mac(g.secret[:], ip[:], binary.BigEndian.AppendUint16(nil, addr.Port()))
}

// bucket is a number that depends on the network that ip is in (the address of IPv4, the /64 of IPv6) and that nobody outside
// can predict, so that nobody can aim at another's bucket.
func (g *guard) bucket(ip netip.Addr) uint64 {
	b := ip.Unmap().As16()
	network := b[:8]
	if ip.Unmap().Is4() {
		network = b[:]
	}
	sum := mac(g.secret[:], []byte("bucket"), network)
	return binary.LittleEndian.Uint64(sum[:])
}

// jar is the sending side of the MACs, for one peer.
type jar struct {
	cookie   [macSize]byte
	since    mono.Time // Never: there is no cookie
	lastMAC1 [macSize]byte
}

// stamp writes both MACs of a handshake message to the peer. MAC2 is zeros while there is no fresh cookie.
func (j *jar) stamp(now mono.Time, msg []byte, remote key.WGPublic) {
	k := labelled(labelMAC1, remote)
	j.lastMAC1 = mac(k[:], underMAC1(msg))
	copy(mac1Of(msg), j.lastMAC1[:])
	clear(mac2Of(msg))
	if !j.since.IsNever() && now.Sub(j.since) < cookieUse {
		sum := mac(j.cookie[:], underMAC2(msg))
		copy(mac2Of(msg), sum[:])
	}
}

// keep opens a cookie reply to the message stamped last.
func (j *jar) keep(now mono.Time, reply cookieReply, remote key.WGPublic) bool {
	k := labelled(labelCookie, remote)
	var cookie [macSize]byte
	if _, err := extended(&k).Open(cookie[:0], reply.nonce(), reply.sealed(), j.lastMAC1[:]); err != nil {
		return false
	}
	j.cookie, j.since = cookie, now
	return true
}

func extended(k *[keySize]byte) interface {
	Seal(dst, nonce, plaintext, additional []byte) []byte
	Open(dst, nonce, sealed, additional []byte) ([]byte, error)
} {
	aead, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		panic("wg: XChaCha20-Poly1305 refuses 32 bytes: " + err.Error())
	}
	return aead
}
