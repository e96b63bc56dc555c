package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// joinTime is how long one join takes at most, all its attempts included, unless who asks says how long.
const joinTime = 20 * time.Second

// Up implements localapi.Backend.
func (d *Daemon) Up(ctx context.Context, r local.UpRequest) (local.Networks, error) {
	if r.JoinKey != "" {
		return d.join(ctx, r)
	}
	if r.Hostname != "" || r.Interface != "" || r.Port != 0 || r.Transport != "" || r.TimeoutMS != 0 {
		return local.Networks{}, local.CodeInvalid.Problem("bring up a network", "hostname, interface, port, transport and timeout are chosen when a network is joined", "give them together with a join key; later: sudo cvlan set")
	}
	chosen, err := d.choose(r.Network)
	if err != nil {
		return local.Networks{}, err
	}
	return d.raise(chosen...)
}

// raise brings memberships up, and those anew that have come to a dead end.
func (d *Daemon) raise(chosen ...*member) (local.Networks, error) {
	d.ops.Lock()
	defer d.ops.Unlock()
	if d.running == nil {
		return local.Networks{}, errStopping
	}
	var failed error
	for _, m := range chosen {
		if m.state == nil {
			failed = errors.Join(failed, damaged(m))
			continue
		}
		if err := m.state.SetWanted(state.Up); err != nil {
			failed = errors.Join(failed, unsaved("bring up", m, err))
		}
		d.hold()
		if m.stuck() {
			m.stop()
		}
		m.start(d.running)
	}
	return d.describe(chosen), failed
}

// stuck reports whether only a new start can help.
func (m *member) stuck() bool {
	e, broke := m.alive()
	if e == nil {
		return false
	}
	s := e.Status().State
	return broke != nil || s == engine.NeedsJoin || s == engine.Failed
}

// unsaved is what a person learns when their wish could not be kept: it holds until the daemon's next start.
func unsaved(verb string, m *member, err error) error {
	return local.CodeInternal.Problem(fmt.Sprintf("%s network %s for good", verb, m.label()), err.Error(), "it is done now, but forgotten at the daemon's next start; repeat the command when the disk is writable")
}

func damaged(m *member) error {
	return local.CodeInternal.Problem(fmt.Sprintf("use network %s", m.label()), m.damage.Error(), fmt.Sprintf("restore the state folder from a backup, or: sudo cvlan logout --network %s, then join again", m.id))
}

// Down implements localapi.Backend.
func (d *Daemon) Down(_ context.Context, r local.DownRequest) (local.Networks, error) {
	chosen, err := d.choose(r.Network)
	if err != nil {
		return local.Networks{}, err
	}
	d.ops.Lock()
	defer d.ops.Unlock()
	var failed error
	for _, m := range chosen {
		m.stop()
		if m.state != nil {
			if err := m.state.SetWanted(state.Down); err != nil {
				failed = errors.Join(failed, unsaved("switch off", m, err))
			}
		}
	}
	d.hold()
	d.changed()
	return d.describe(chosen), failed
}

// join redeems a join key, or finds that this machine has done so already.
func (d *Daemon) join(ctx context.Context, r local.UpRequest) (local.Networks, error) {
	t, err := check(&r)
	if err != nil {
		return local.Networks{}, err
	}
	if m := d.joinedBy(t); m != nil {
		return d.raise(m)
	}
	already := d.membersOf(t.Pin)
	keys, err := d.dir.Begin(t)
	if err != nil {
		return local.Networks{}, local.CodeInternal.Problem("join", err.Error(), "nothing was sent to the controller; the join key is as good as before")
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(time.Duration(r.TimeoutMS)*time.Millisecond, joinTime))
	defer cancel()
	given, err := session.Join(ctx, t, session.JoinConfig{
		Identity: keys.Identity, WG: keys.WG.Public(), Hostname: r.Hostname, Transport: stream.Transport(r.Transport), Nodes: slices.Collect(maps.Keys(already)),
		Dial: d.cfg.Outside.Dial, Clock: session.NewClock(d.cfg.Outside.Local, time.Time{}), Random: d.cfg.Outside.Random,
	})
	if refused, ok := errors.AsType[*session.Refused](err); ok && already[refused.Member] != nil {
		keys.Drop()
		out, err := d.raise(already[refused.Member])
		out.Unused = true
		return out, err
	}
	if err != nil {
		return local.Networks{}, joinProblem(err)
	}
	m, err := d.admit(keys, given, r)
	if err != nil {
		return local.Networks{}, err
	}
	d.log.Info("network joined", logx.Network, m.id.String(), logx.Node, given.Node.String())
	return d.raise(m)
}

// admit keeps a new membership. One of the same network that has come to its end makes room for it.
func (d *Daemon) admit(keys *state.Joining, given session.Membership, r local.UpRequest) (*member, error) {
	d.ops.Lock()
	defer d.ops.Unlock()
	alter := func(meta *state.Meta) {
		meta.Interface, meta.Port, meta.Transport = r.Interface, r.Port, stream.Transport(r.Transport)
	}
	kept, err := keys.Finish(given, alter)
	if old := d.member(given.Network); errors.Is(err, state.ErrMember) && old != nil {
		if old.state != nil && old.state.Meta().Node == given.Node {
			return old, nil // the same join twice at a time
		}
		if !old.over() {
			return nil, local.CodeConflict.Problem("join", fmt.Sprintf("this machine is in the network %s already", old.label()),
				fmt.Sprintf("to join it anew: sudo cvlan logout --network %s, then this command again, with the same key; else an admin may delete what the key has made: cvlan admin node delete %s", old.id, given.Node))
		}
		old.stop()
		if err := d.forget(old); err != nil {
			return nil, err
		}
		kept, err = keys.Finish(given, alter)
	}
	if err != nil {
		return nil, local.CodeInternal.Problem("join", err.Error(), "the controller has admitted this machine; run the same command again when that is solved, with the same join key")
	}
	m := &member{d: d, id: kept.ID, state: kept}
	d.add(m)
	return m, nil
}

// over reports whether a membership is of no use any more.
func (m *member) over() bool {
	if m.state == nil {
		return true
	}
	e, _ := m.alive()
	return e != nil && e.Status().State == engine.NeedsJoin
}

// joinedBy finds the membership that came of a join key.
func (d *Daemon) joinedBy(t ticket.Ticket) *member {
	for _, m := range d.all() {
		if m.over() {
			continue
		}
		if meta := m.state.Meta(); meta.JoinKey == ident.JoinKey(t.ID) && [32]byte(meta.Pin) == t.Pin {
			return m
		}
	}
	return nil
}

// membersOf finds the memberships at one controller that are good for something, by their nodes.
func (d *Daemon) membersOf(pin [32]byte) map[ident.Node]*member {
	found := map[ident.Node]*member{}
	for _, m := range d.all() {
		if m.over() {
			continue
		}
		if meta := m.state.Meta(); [32]byte(meta.Pin) == pin {
			found[meta.Node] = m
		}
	}
	return found
}

// check reads a request to join and puts in what it leaves open.
func check(r *local.UpRequest) (ticket.Ticket, error) {
	t, err := ticket.Parse(ticket.Join, r.JoinKey)
	if err != nil {
		return t, local.CodeInvalid.Problem("join", err.Error(), "")
	}
	switch stream.Transport(r.Transport) {
	case "", stream.Auto, stream.QUIC, stream.TCP:
	default:
		return t, local.CodeInvalid.Problem("join", fmt.Sprintf("transport %.20q is not known", r.Transport), "use auto, quic or tcp")
	}
	if r.TimeoutMS < 0 || r.TimeoutMS > int(local.MaxJoinTime.Milliseconds()) {
		return t, local.CodeInvalid.Problem("join", fmt.Sprintf("the time to wait is at most %v", local.MaxJoinTime), "")
	}
	if r.Network != "" {
		return t, local.CodeInvalid.Problem("join", "the join key says which network", "leave the network's name out")
	}
	if r.Hostname != "" && clean.Label(r.Hostname) == "" {
		return t, local.CodeInvalid.Problem("join", fmt.Sprintf("%.64q cannot be made a host name", clean.Line(r.Hostname, 64)), "use letters, digits and hyphens")
	}
	if r.Hostname == "" {
		r.Hostname, _ = os.Hostname() // without one the controller chooses
	}
	r.Hostname = clean.Label(r.Hostname)
	return t, nil
}

// joinProblem turns a failed join into what a person reads.
func joinProblem(err error) error {
	var refused *session.Refused
	var failed *session.Failed
	switch {
	case errors.As(err, &refused) && refused.Reason == pb.RefusedReason_REFUSED_REASON_UNAVAILABLE: // nothing is wrong with the key
		return local.CodeInternal.Problem("join", refused.Message, refused.Hint)
	case errors.As(err, &refused):
		return local.CodeRefused.Problem("join", refused.Message, refused.Hint)
	case errors.As(err, &failed) && failed.Skew():
		return local.CodeSkew.Problem("join", failed.What, failed.Hint)
	case errors.As(err, &failed) && failed.Untrusted():
		return local.CodeInvalid.Problem("join", failed.What, failed.Hint)
	case errors.As(err, &failed):
		return local.CodeUnreachable.Problem("join", failed.What, failed.Hint)
	default:
		return local.CodeInternal.Problem("join", err.Error(), "")
	}
}
