package daemon

import (
	"context"
	"errors"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/proto/control"
)

// SetProtocol implements localapi.Backend: what peers are told this machine would rather speak. It takes hold with each of them as soon as both
// have the map that says so, and nothing that is on its way is lost.
func (d *Daemon) SetProtocol(_ context.Context, r local.ProtocolRequest) (local.Networks, error) {
	var prefers control.Tunnels
	if r.Protocol != "" {
		var err error
		if prefers, err = control.ParseTunnel(r.Protocol); err != nil {
			return local.Networks{}, local.CodeInvalid.Problem("choose a tunnel protocol", err.Error(), "use wireguard or ipsec")
		}
		if d.cfg.Speaks != 0 && d.cfg.Speaks&prefers == 0 {
			return local.Networks{}, local.CodeInvalid.Problem("choose a tunnel protocol", "this daemon is set up not to speak "+r.Protocol, "")
		}
	}
	chosen, err := d.choose(r.Network)
	if err != nil {
		return local.Networks{}, err
	}
	var failed error
	for _, m := range chosen {
		if m.state == nil {
			failed = errors.Join(failed, damaged(m))
			continue
		}
		if err := m.state.SaveProtocol(r.Protocol); err != nil {
			failed = errors.Join(failed, unsaved("choose a tunnel protocol for", m, err))
			continue
		}
		if e, _ := m.alive(); e != nil {
			e.Prefer(prefers)
		}
	}
	return d.describe(chosen), failed
}

// prefers is what a membership's owner wants to be spoken.
func (m *member) prefers() control.Tunnels {
	t, err := control.ParseTunnel(m.state.Meta().Protocol)
	if err != nil {
		return 0
	}
	return t
}
