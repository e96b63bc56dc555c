package guide

import (
	"io"
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/disco"
)

// say seals a message for a peer and sends it on a way.
func (g *Guide) say(now mono.Time, m *mate, w path.Way, msg *disco.Message) {
	var nonce [disco.NonceSize]byte
	if _, err := io.ReadFull(g.cfg.Rand, nonce[:]); err != nil {
		return // without random numbers nothing may be sealed
	}
	b, err := m.pair.Seal(g.buf[:0], nonce, msg)
	if err != nil {
		g.cfg.Log.Error("message not sealed", logx.Peer, m.key().Short(), logx.Err, err)
		return
	}
	g.buf = b
	g.send(now, m, w, b)
	if msg.Kind == disco.Ping && w.Relay != 0 && m.using.Direct() { // the direct way is in doubt: data may come to hang on this one
		g.links.Check(now, w.Relay, &g.relaying)
		g.ferry(now)
	}
}

// send sends a datagram on a way; through a relay it waits until there is a lane.
func (g *Guide) send(now mono.Time, m *mate, w path.Way, datagram []byte) {
	switch {
	case w.Direct():
		g.host.Transmit(datagram, g.host.Direct(w.Remote, w.Local, w.Socket))
	case w.Relay != 0 && w.Relay <= maxSlots && m.through[w.Relay] != nil:
		g.host.Transmit(datagram, m.through[w.Relay])
	default:
		g.links.Want(now, m.node, &g.relaying)
		if !g.links.Call(now, m.node, datagram, &g.relaying) {
			m.wait(datagram)
		}
		g.ferry(now)
	}
}

// Carry implements tunnel.Guide.
func (g *Guide) Carry(now mono.Time, p *tunnel.Peer, slot uint8, message []byte) {
	if m := mateOf(p); m != nil && g.warm(now, m) {
		g.send(now, m, path.Way{Relay: slot}, message)
	}
}

// said takes a sealed message.
func (g *Guide) said(now mono.Time, from tunnel.Origin, b []byte) tunnel.Reason {
	index, ok := disco.Sender(g.self, b)
	if !ok {
		return tunnel.Malformed
	}
	m := g.byIndex[index]
	if m == nil {
		return tunnel.UnknownPeer
	}
	if from.Peer != nil && from.Peer != m.tunnel {
		return tunnel.Spoofed // the relay says that somebody else sent it
	}
	if !g.warm(now, m) {
		return tunnel.Forged
	}
	msg, err := m.pair.Open(b)
	if err != nil {
		return tunnel.Forged
	}
	if !m.met {
		m.met = true
		g.greeted(now, m)
	}
	if msg.Kind == disco.Part {
		g.secrets.Part(now, m.key(), &msg, &g.agreeing)
		g.agree(now, wayOf(from))
		return tunnel.OK
	}
	if g.probed(now, &msg) {
		return tunnel.OK
	}
	g.finder.Message(now, m.id, wayOf(from), msg, &g.decisions)
	g.act(now)
	return tunnel.OK
}

// answered takes what a STUN server says, to the tunnel's own sockets.
func (g *Guide) answered(now mono.Time, from tunnel.Origin, b []byte) tunnel.Reason {
	if a := g.askedOf(from.Socket); a != nil && from.Socket != 0 {
		if !a.client.Datagram(now, from.Addr, b, &g.asked) {
			return tunnel.Unclaimed
		}
		g.asks(now, a)
		return tunnel.OK
	}
	if from.Socket == 0 && g.links.STUN(now, from.Addr, b, &g.relaying) {
		g.ferry(now)
		return tunnel.OK
	}
	if t := g.trial; t != nil && (from.Socket == 0 || from.Socket == t.socket) && t.Datagram(now, from.Socket != 0, from.Addr, b) {
		g.tried(now)
		return tunnel.OK
	}
	if g.own.asking == nil || from.Socket != 0 || !g.own.asking.Datagram(now, netip.AddrPortFrom(from.Addr.Addr(), from.Addr.Port()), b, &g.asked) {
		return tunnel.Unclaimed
	}
	g.mapped(now)
	return tunnel.OK
}
