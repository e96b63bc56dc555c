package daemon

import (
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/sys/osnet"
)

// holds is what of the machine's traffic must not leave beside an exit; nil: all may. A membership that is to be up and wants an exit has it so, whatever
// becomes of it: also while it comes up, cannot come up, or starts anew.
func (d *Daemon) holds() (want *osnet.Exit) {
	for _, m := range d.all() {
		if m.wanted() != state.Up {
			continue
		}
		if meta := m.state.Meta(); meta.ExitNode != "" {
			lan := meta.ExitLAN == on && (want == nil || want.LAN)
			want = &osnet.Exit{LAN: lan}
		}
	}
	return want
}

// hold does it. It comes before what may end the use of an exit, so that there is no moment in between.
func (d *Daemon) hold() { d.let(d.holds()) }

func (d *Daemon) let(hold *osnet.Exit) {
	err := d.cfg.Outside.Host.Hold(hold)
	if err != nil {
		d.log.Warn("traffic may leave beside an exit", logx.Err, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unheld = err
}

// exit is the way to the internet that this machine is to take, nil: none of ours, and what is wrong with it that the engine cannot know. No status: there is
// no engine any more.
func (m *member) exit(s *engine.Status) (*local.Exit, []local.Problem) {
	meta := m.state.Meta()
	m.d.mu.Lock()
	unheld := m.d.unheld
	m.d.mu.Unlock()
	switch {
	case s != nil && s.Exit.Name != "":
		x := s.Exit
		return &local.Exit{Node: x.Name, State: string(x.State), Why: x.Why, IPv6: x.IPv6, LAN: x.LAN, Open: x.State == engine.ExitFailed && unheld != nil}, nil
	case meta.ExitNode == "" || s != nil && s.Interface != "": // none, or the engine does what it was told a moment ago
		return nil, nil
	case unheld != nil:
		why := "the network is not up, and the system does not keep traffic back: " + unheld.Error()
		return &local.Exit{Node: meta.ExitNode, State: local.ExitFailed, Why: why, Open: true}, []local.Problem{{Code: "exit-not-held",
			What: "traffic leaves this machine as it would without the exit " + meta.ExitNode + ": " + why, Hint: "see what the daemon's log says of it: sudo journalctl -u cvland -n 50"}}
	}
	return &local.Exit{Node: meta.ExitNode, State: local.ExitWaiting, Why: "the network is not up", LAN: meta.ExitLAN == on}, []local.Problem{{Code: "exit-waiting",
		What: "nothing leaves for the internet until the network is up, because all is to leave through " + meta.ExitNode, Hint: "to leave without it: sudo cvlan exit off"}}
}

// exits are those that there are, by name.
func exits(s *engine.Status) (all []local.ExitPeer) {
	ways := map[ident.Node]engine.Way{}
	for _, w := range s.Ways {
		ways[w.Node] = w
	}
	for _, p := range s.Peers {
		if w, ok := ways[p.Record.Node]; ok {
			all = append(all, exitPeer(p, w))
		}
	}
	return all
}

func exitPeer(p *netmap.Peer, w engine.Way) local.ExitPeer {
	return local.ExitPeer{Name: p.Record.Name, Online: p.Soft.Online, IPv4: w.IPv4, IPv6: w.IPv6, Allowed: w.Open}
}
