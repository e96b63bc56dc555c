// Package quicx holds our one way to use quic-go: a profile for each end, and the UDP port that QUIC shares with what is not QUIC.
//
// The profile is for one small stream that is open for days, thousands of times. Measured with quic-go 0.65: windows have no effect on
// what an idle connection costs (they only bound abuse), path MTU discovery pays for itself, and connection identifiers of the
// default four bytes would collide at a hundred thousand clients. There is no 0-RTT, because the first message is not one that may be
// replayed. Datagrams are for relays only.
package quicx

import (
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// KeepAlive is how often an idle client shows itself: often enough for address translators that forget after 30 s.
	KeepAlive = 25 * time.Second
	// IdleTimeout is the silence after which either end gives the other up: three lost keepalives.
	IdleTimeout = 90 * time.Second
	// handshakeIdle is the silence after which a handshake is given up; all of it may take twice as long.
	handshakeIdle = 5 * time.Second
	// connectionIDs in bytes: see the package comment.
	connectionIDs = 8
	// leastPacket, in bytes, is what QUIC asks of every path (RFC 9000, section 14). Packets begin with it, so that a path that drops longer
	// ones without a word is no obstacle; path MTU discovery finds out what more there is.
	leastPacket = 1200
)

// server is the profile of who accepts. It hears little (reports, renewals) from many, so its windows are small.
func server(datagrams bool) *quic.Config {
	c := shared(datagrams)
	c.InitialStreamReceiveWindow = 16 << 10
	c.MaxStreamReceiveWindow = 256 << 10
	c.InitialConnectionReceiveWindow = 32 << 10
	c.MaxConnectionReceiveWindow = 512 << 10
	c.MaxIncomingStreams = 4
	return c
}

// client is the profile of who dials. It hears whole maps, and keeps the connection alive.
func client(datagrams bool) *quic.Config {
	c := shared(datagrams)
	c.InitialStreamReceiveWindow = 128 << 10
	c.MaxStreamReceiveWindow = 1 << 20
	c.InitialConnectionReceiveWindow = 256 << 10
	c.MaxConnectionReceiveWindow = 2 << 20
	c.MaxIncomingStreams = -1
	c.KeepAlivePeriod = KeepAlive
	return c
}

func shared(datagrams bool) *quic.Config {
	return &quic.Config{HandshakeIdleTimeout: handshakeIdle, MaxIdleTimeout: IdleTimeout, MaxIncomingUniStreams: -1, EnableDatagrams: datagrams, InitialPacketSize: leastPacket}
}
