package path

import (
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// opened goes on with a hunt that waited for a socket.
func (f *Finder) opened(now mono.Time, s *search, socket uint16, mapped netip.AddrPort, out *Decisions) {
	h := &s.hunt
	h.awaits--
	h.open = append(h.open, socket)
	if h.phase == punching {
		f.opener(now, s, socket, out)
		return
	}
	h.socket, h.mapped = socket, mapped
	f.learn(s, s.peer.known.Candidates)
	for _, t := range slices.Clone(s.tracks) {
		if t.way.Direct() && t.way.Socket == 0 && !t.stale && t.kind != 0 {
			if fresh := s.track(Way{Socket: socket, Remote: t.way.Remote}); fresh != nil {
				fresh.kind, fresh.offered = t.kind, t.offered
			}
		}
	}
	if h.phase == opening {
		f.offer(now, s, out)
	}
}

// inUse reports whether we send on a socket, or the peer does, which may have chosen another way than we: that on which its data comes. While it says
// nothing, it may be any that works.
func (s *search) inUse(now mono.Time, socket uint16) bool {
	recent := func(at mono.Time) bool { return !at.IsNever() && now.Sub(at) < socketIdle }
	silent := !slices.ContainsFunc(s.tracks, func(t *track) bool { return t.way.Direct() && recent(t.heard) })
	return slices.ContainsFunc(s.tracks, func(t *track) bool {
		return t.way.Direct() && t.way.Socket == socket && (t.way.same(s.chosen) || recent(t.heard) || silent && recent(max(t.proven, t.asked)))
	})
}

// closeSockets closes the sockets of a search that nobody uses, and forgets what they led to.
func (f *Finder) closeSockets(now mono.Time, s *search, out *Decisions) {
	kept := s.hunt.open[:0]
	s.hunt.sweepAt = mono.Never
	for _, socket := range s.hunt.open {
		if s.inUse(now, socket) {
			kept = append(kept, socket)
			s.hunt.sweepAt = now.Add(socketIdle)
			continue
		}
		f.shut(s, socket, out)
	}
	s.hunt.open, s.hunt.socket, s.hunt.mapped = kept, 0, netip.AddrPort{}
}

// shut closes a socket. What this call wanted to send from it stays unsent, in whatever order the owner acts.
func (f *Finder) shut(s *search, socket uint16, out *Decisions) {
	delete(f.owners, socket)
	s.forget(socket)
	out.Sends = slices.DeleteFunc(out.Sends, func(x Send) bool { return x.Way.Direct() && x.Way.Socket == socket })
	out.Events = append(out.Events, Event{Kind: CloseSocket, Peer: s.id, Way: Way{Socket: socket}})
}

// forgetSocket forgets a socket that is gone.
func (s *search) forgetSocket(socket uint16) {
	s.hunt.open = slices.DeleteFunc(s.hunt.open, func(o uint16) bool { return o == socket })
	if s.hunt.socket == socket {
		s.hunt.socket, s.hunt.mapped = 0, netip.AddrPort{}
	}
	s.forget(socket)
}

func (s *search) forget(socket uint16) {
	s.tracks = slices.DeleteFunc(s.tracks, func(t *track) bool { return t.way.Direct() && t.way.Socket == socket })
}
