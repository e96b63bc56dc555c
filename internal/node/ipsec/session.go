package ipsec

import (
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// session is a pair of SAs as workers use it. Reserve, Sent and Usable are the pair's own.
type session struct{ *esp.Pair }

var (
	_ tunnel.Session  = session{}
	_ tunnel.Lendable = session{}
)

// A tunnel gives a packet as much room as ESP needs.
var _ [tunnel.Overhead - esp.Overhead]struct{}

// Class implements tunnel.Session.
func (session) Class() tunnel.Class { return tunnel.ESP }

// Overhead implements tunnel.Session.
func (s session) Overhead() int { return s.Suite().Adds() }

// Index implements tunnel.Session.
func (s session) Index() uint32 { return uint32(s.Local()) }

// Seal implements tunnel.Session. Padding is ESP's own, and short.
func (s session) Seal(dst []byte, seq uint64, packet []byte, _ int) []byte {
	return s.Pair.Seal(dst, seq, packet)
}

// Open implements tunnel.Session.
func (s session) Open(now mono.Time, datagram []byte) ([]byte, tunnel.Reason) {
	packet, why := s.Pair.Open(now, datagram)
	return packet, reasons[why]
}

// Received implements tunnel.Session.
func (s session) Received(now mono.Time, from tunnel.Source, _ bool) bool {
	return s.Pair.Received(now, esp.Source(from))
}

var reasons = [...]tunnel.Reason{
	esp.Taken: tunnel.OK, esp.DropMalformed: tunnel.Malformed, esp.DropReplayed: tunnel.Replayed, esp.DropForged: tunnel.Forged,
	esp.DropExpired: tunnel.Expired, esp.DropSelector: tunnel.Unselected, esp.DropLent: tunnel.Lent,
}
