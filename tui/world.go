package tui

import (
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tui/draw"
)

// network is one membership.
type network struct {
	local.Network
	name string // cleaned
}

// on reports whether a network is switched on.
func (n *network) on() bool { return n.State != local.Down }

// world is what is known. Screens read it; Update alone writes it.
type world struct {
	now      time.Time
	theme    *draw.Theme
	known    bool      // a state has arrived at least once
	away     error     // why the daemon does not answer; nil: it does
	heard    time.Time // when the last state came
	daemon   string    // its version
	since    time.Time // when it started
	networks []*network
	peers    []*peer // of all networks, in the daemon's order
	byID     map[peerID]*peer
	only     string // identifier of the network that is shown; "": all
	stamp    uint64 // counts states
	total    meter
	log      changelog
	paths    map[peerID]pathNews
	noPaths  error // why paths are not told: the rights are missing
	reach    map[peerID]reachNews
	noReach  error                // why rules are not told, likewise
	proofs   map[string]proofNews // by identifier of the node
	own      []local.Certificate
	ownAsked bool
	ownAt    time.Time
	tunnels  tunnels
	names    namesNews
	ping     pinging
	from     peerID // whom the next question to policy is asked for; none: this machine
	admin    bool   // there is a login to a controller
	login    string // why not
	loginAs  string // which of several it is
}

// take takes in news of the daemon.
func (w *world) take(n news) {
	w.now = n.at
	if n.err != nil {
		answered := w.away == nil
		w.away = n.err
		if answered && w.known {
			w.log.add(n.at, bad, "", "the daemon "+w.silence())
		}
		return
	}
	if w.away != nil && w.known {
		w.log.add(n.at, good, "", "the daemon answers again")
	}
	w.away, w.heard = nil, n.at
	w.daemon, w.since = cleanName(n.status.Daemon.Version), n.status.Since
	w.stamp++
	before := w.networks
	w.networks = make([]*network, len(n.status.Networks))
	for i := range n.status.Networks {
		w.networks[i] = &network{n.status.Networks[i], called(n.status.Networks[i].Name, n.status.Networks[i].ID)}
	}
	if w.known {
		w.log.networks(n.at, before, w.networks)
	}
	w.takePeers(n.at)
	if w.only != "" && w.network(w.only) == nil {
		w.only = ""
	}
	w.known = true
}

func (w *world) takePeers(at time.Time) {
	w.peers = w.peers[:0]
	var rx, tx uint64
	for _, n := range w.networks {
		for i := range n.Peers {
			raw := n.Peers[i]
			id := peerID{n.ID, raw.ID}
			p := w.byID[id]
			if p == nil {
				p = &peer{id: id}
				w.byID[id] = p
				p.take(n, raw, at)
				if w.known {
					w.log.add(at, fair, p.network, p.name+" is new here")
				}
			} else {
				was := *p
				p.take(n, raw, at)
				w.log.peer(at, p, &was)
			}
			p.stamp = w.stamp
			w.peers = append(w.peers, p)
			rx, tx = rx+raw.RxBytes, tx+raw.TxBytes
		}
	}
	w.total.take(at, rx, tx)
	if len(w.byID) > len(w.peers) {
		w.forget(at)
	}
}

// forget drops those that the last state did not tell of.
func (w *world) forget(at time.Time) {
	for id, p := range w.byID {
		if p.stamp != w.stamp {
			delete(w.byID, id)
			delete(w.paths, id)
			delete(w.reach, id)
			if w.from == id {
				w.from = peerID{}
			}
			w.log.add(at, fair, p.network, p.name+" is gone")
		}
	}
}

func (w *world) network(id string) *network {
	i := slices.IndexFunc(w.networks, func(n *network) bool { return n.ID == id })
	if i < 0 {
		return nil
	}
	return w.networks[i]
}

// chosen returns the networks that are shown.
func (w *world) chosen() []*network {
	if n := w.network(w.only); n != nil {
		return []*network{n}
	}
	return w.networks
}

// counts returns how many peers of the networks shown there are, by standing, and how many are online.
func (w *world) counts() (by [offline + 1]int, online, nodes int) {
	for _, p := range w.peers {
		if w.only != "" && p.id.network != w.only {
			continue
		}
		by[p.stand]++
		if p.Kind != local.PlainPeer {
			nodes++
			if p.Online {
				online++
			}
		}
	}
	return by, online, nodes
}
