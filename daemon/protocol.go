package daemon

import "github.com/cvlan/cvlan/proto/control"

// prefers is what a membership's owner wants to be spoken.
func (m *member) prefers() control.Tunnels {
	t, err := control.ParseTunnel(m.state.Meta().Protocol)
	if err != nil {
		return 0
	}
	return t
}
