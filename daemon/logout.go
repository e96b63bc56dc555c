package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/node/session"
)

// Logout implements localapi.Backend. What the controller answers does not matter to what happens here: the keys are deleted. Who asked may
// have gone meanwhile.
func (d *Daemon) Logout(ctx context.Context, r local.LogoutRequest) (out local.LoggedOut, err error) {
	chosen, err := d.choose(r.Network)
	if err != nil {
		return out, err
	}
	if len(chosen) > 1 {
		return out, local.CodeInvalid.Problem("leave a network", fmt.Sprintf("this machine is in %d networks", len(chosen)), "name the one to leave")
	}
	d.ops.Lock()
	defer d.ops.Unlock()
	m := chosen[0]
	out = local.LoggedOut{Schema: local.Schema, Network: m.label(), ID: m.id.String()}
	if m.state != nil {
		out.Node = m.state.Meta().Node.String()
	}
	m.stop()
	if !r.Local {
		out.Problem = m.leave(context.WithoutCancel(ctx))
		out.Deleted = out.Problem == nil
	}
	err = d.forget(m)
	d.hold()
	d.changed()
	return out, err
}

// leave tells the controller that this machine leaves; nil: the node is deleted.
func (m *member) leave(ctx context.Context) *local.Problem {
	if m.state == nil {
		return &local.Problem{Code: "damaged", What: clean.Line(m.damage.Error(), 300)}
	}
	_, heard, _ := m.state.Map() // without a map the clock goes by the certificate
	err := session.New(session.Config{
		Membership: m.state.Session(), Identity: m.state.Identity, WG: m.state.WG.Public(), Transport: m.state.Meta().Transport,
		Dial: m.d.cfg.Outside.Dial, Clock: session.NewClock(m.d.cfg.Outside.Local, heard), Log: m.d.log, Random: m.d.cfg.Outside.Random,
	}).Leave(ctx)
	if err == nil {
		return nil
	}
	m.d.log.Warn("controller not told that this node leaves", logx.Network, m.id.String(), logx.Err, err)
	p := &local.Problem{What: clean.Line(err.Error(), 300)}
	if f, ok := errors.AsType[*session.Failed](err); ok {
		p.Code, p.Hint = f.Code, f.Hint
	}
	return p
}

// forget deletes a membership with its keys.
func (d *Daemon) forget(m *member) error {
	if err := d.dir.Forget(m.id); err != nil {
		return local.CodeInternal.Problem("forget network "+m.label(), err.Error(), "")
	}
	d.drop(m.id)
	d.log.Info("network forgotten", logx.Network, m.id.String())
	return nil
}
