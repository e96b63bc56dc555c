package wg

import (
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/wg"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// session is a WireGuard session as workers use it. Reserve and Usable are the session's own.
type session struct{ *wg.Session }

var _ tunnel.Session = session{}

// Class implements tunnel.Session.
func (session) Class() tunnel.Class { return tunnel.WireGuardData }

// Index implements tunnel.Session.
func (s session) Index() uint32 { return s.LocalIndex() }

// Overhead implements tunnel.Session. Padding goes up to the inside's MTU and counts for nothing: what fits still does when it is padded.
func (session) Overhead() int { return wg.Overhead }

// Sent implements tunnel.Session.
func (s session) Sent(now mono.Time) bool { return s.Session.Sent(now, true) }

// Open implements tunnel.Session.
func (s session) Open(now mono.Time, datagram []byte) ([]byte, tunnel.Reason) {
	packet, why := s.Session.Open(now, datagram[wg.HeaderSize:wg.HeaderSize], datagram)
	return packet, reasonOf(why)
}

// Received implements tunnel.Session.
func (s session) Received(now mono.Time, from tunnel.Source, data bool) bool {
	return s.Session.Received(now, wg.Source(from), data)
}

// reasonOf says a refusal of the protocol in the tunnel's words.
func reasonOf(d wg.Drop) tunnel.Reason { return reasons[d] }

var reasons = [...]tunnel.Reason{
	wg.Taken: tunnel.OK, wg.DropMalformed: tunnel.Malformed, wg.DropUnaddressed: tunnel.Unaddressed, wg.DropChallenged: tunnel.Challenged,
	wg.DropPaced: tunnel.Paced, wg.DropForged: tunnel.Forged, wg.DropUnknownPeer: tunnel.UnknownPeer, wg.DropTooManyPeers: tunnel.TooManyPeers,
	wg.DropReplayed: tunnel.Replayed, wg.DropUnknownIndex: tunnel.UnknownIndex, wg.DropExpired: tunnel.Expired, wg.DropUnshared: tunnel.Unshared, wg.DropCrossed: tunnel.Crossed,
}
