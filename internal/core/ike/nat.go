package ike

import (
	"bytes"
	"crypto/fips140"
	"crypto/sha1"
	"encoding/binary"
	"net/netip"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// natHash is the data of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP, §2.23: SHA-1, which need not resist anything here.
func natHash(spiI, spiR msg.SPI, a netip.AddrPort) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(spiI))
	b = binary.BigEndian.AppendUint64(b, uint64(spiR))
	b = append(b, a.Addr().Unmap().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, a.Port())
	var sum [sha1.Size]byte
	fips140.WithoutEnforcement(func() { sum = sha1.Sum(b) }) // it protects nothing: whoever lies about addresses only sees ESP in UDP
	return sum[:]
}

// natPayloads tell the peer which addresses a message left with.
func natPayloads(spiI, spiR msg.SPI, p Path) []msg.Payload {
	return []msg.Payload{
		msg.Notify{Kind: msg.NATDetectionSource, Data: natHash(spiI, spiR, p.Local)},
		msg.Notify{Kind: msg.NATDetectionDestination, Data: natHash(spiI, spiR, p.Remote)},
	}
}

// natOf compares what the peer says with the path that its message came by.
func natOf(ps []msg.Payload, spiI, spiR msg.SPI, p Path) (n NAT) {
	if !p.Local.IsValid() || !p.Remote.IsValid() {
		return NAT{}
	}
	local, remote := natHash(spiI, spiR, p.Local), natHash(spiI, spiR, p.Remote)
	sources, known := 0, false
	for one := range msg.All[msg.Notify](ps) {
		switch one.Kind {
		case msg.NATDetectionSource: // there may be several: the sender did not know which address it would use
			sources++
			known = known || bytes.Equal(one.Data, remote)
		case msg.NATDetectionDestination:
			n.Local = !bytes.Equal(one.Data, local)
		}
	}
	n.Remote = sources > 0 && !known
	return n
}
