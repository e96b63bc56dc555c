package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	core "github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/policy/compile"
)

// Waits between attempts to come up, after a failure.
const (
	retryLeast = time.Second
	retryMost  = time.Minute
)

// device is what the membership has on the host.
type device struct {
	name   string
	mtu    int
	tunnel Tunnel
	ranges []netip.Prefix
	config osnet.Config
}

// done is the tunnel's own end; nil, which is never ready, without one.
func (d *device) done() <-chan struct{} {
	if d == nil {
		return nil
	}
	return d.tunnel.Done()
}

// raise brings the membership up if it may be, and makes what is up what it should be.
func (e *Engine) raise() {
	n, known := e.table.Network()
	self, _ := e.table.Self()
	if v := e.session.State().Verdict; !known || self.Pending || v == session.Removed || v == session.Cloned {
		e.lower()
		e.failure, e.failures, e.retryAt = nil, 0, time.Time{}
		return
	}
	if e.failure != nil && time.Now().Before(e.retryAt) {
		return
	}
	own, ranges := addresses(n, self)
	p := e.clear(n.Name, ranges)
	if p == nil && e.dev == nil {
		p = e.open()
	}
	if p == nil {
		p = e.settle(own, ranges)
	}
	if p != nil {
		e.fail(p)
		return
	}
	if e.failure != nil {
		e.failure, e.failures, e.retryAt = nil, 0, time.Time{}
		e.changed()
	}
	e.reroute(true)
	e.note()
	e.report()
}

// fail takes down what is up, and tries again later.
func (e *Engine) fail(p *session.Problem) {
	e.lower()
	if e.failure == nil || *e.failure != *p {
		e.log.Warn("membership cannot come up", logx.Reason, p.Code, logx.Err, p.What, logx.Hint, p.Hint)
	}
	e.failure = p
	e.retryAt = time.Now().Add(min(retryMost, retryLeast<<min(e.failures, 8)))
	e.failures++
	e.changed()
}

// clear refuses ranges that overlap what this machine has otherwise, and names both.
func (e *Engine) clear(name string, ranges []netip.Prefix) *session.Problem {
	id := uint64(e.cfg.Membership.Network)
	if err := e.cfg.Ledger.take(id, name, ranges); err != nil {
		return &session.Problem{Code: "range-clash", What: fmt.Sprintf("the network %q cannot be used here: %s", name, err),
			Hint: "switch one of the two off (sudo cvlan down --network NAME), or ask an admin for a network with another range"}
	}
	clashes, err := e.cfg.Outside.Host.Clashes(ranges, e.cfg.Ledger.interfaces()...)
	if err != nil {
		p := problemOf("host-network", fmt.Errorf("look for clashing routes: %w", err))
		return &p
	}
	if len(clashes) == 0 {
		return nil
	}
	c := clashes[0]
	mine := ranges[max(0, slices.IndexFunc(ranges, c.Range.Overlaps))]
	return &session.Problem{Code: "range-clash",
		What: fmt.Sprintf("the network %q cannot be used here: its range %s overlaps %s, which this machine has on %s", name, mine, c.Range, c.On),
		Hint: "ask an admin for a network with another range, or leave the other; the membership comes up by itself when the clash is gone"}
}

// open makes device and tunnel, under the name and the port of last time where they are free: peers remember the port while no
// controller can tell them another.
func (e *Engine) open() (p *session.Problem) {
	ports := []uint16{e.cfg.Port}
	if e.cfg.Port == 0 && e.cfg.LastPort != 0 {
		ports = []uint16{e.cfg.LastPort, 0}
	}
	for _, port := range ports {
		if e.dev, p = e.make(port); p == nil {
			break
		}
	}
	if p != nil {
		return p
	}
	e.cfg.Ledger.on(uint64(e.cfg.Membership.Network), e.dev.name)
	for p := range e.table.Peers() {
		e.setPeer(p)
	}
	for p := range e.table.Plains() {
		e.setPlain(p)
	}
	e.relays()
	e.log.Info("tunnel up", logx.Interface, e.dev.name, logx.Count, e.table.Len())
	return nil
}

func (e *Engine) make(port uint16) (*device, *session.Problem) {
	dev, err := e.tun()
	if err != nil {
		p := problemOf(tunCode(err), err)
		return nil, &p
	}
	name := dev.Name()
	n, _ := e.table.Network()
	self, _ := e.table.Self()
	_, overlay := addresses(n, self)
	known := e.directory
	tell := func(ev core.Event) { e.journal.tell(ev, known.called(ev.Identity)) }
	t, err := e.cfg.Outside.Tunnel(TunnelConfig{Private: e.cfg.WG, Port: port, TUN: dev, Filter: e.rules.table, Now: e.clock.Now, Log: e.log,
		Speaks: e.speaks(), Profile: e.cfg.Profile, Kernel: e.kernel(), Directory: e.directory, Tell: tell,
		Self: e.cfg.Membership.Node, Home: ident.Relay(e.home.Load()), Overlay: overlay, Credentials: e.session.Credentials, Report: e.reached, Punch: e.session.Punch})
	if err != nil {
		p := problemOf("tunnel-failed", err)
		return nil, &p
	}
	return &device{name: name, mtu: e.mtu(), tunnel: t}, nil
}

func (e *Engine) mtu() int { return cmp.Or(e.cfg.MTU, tun.DefaultMTU) }

func (e *Engine) tun() (tun.Device, error) {
	if e.cfg.Interface == "" && e.cfg.LastName != "" {
		if d, err := e.cfg.Outside.TUN(e.cfg.LastName, e.mtu()); err == nil {
			return d, nil
		}
	}
	return e.cfg.Outside.TUN(e.cfg.Interface, e.mtu())
}

// tunCode tells scripts what kind of refusal a TUN device met.
func tunCode(err error) string {
	switch {
	case errors.Is(err, tun.ErrTaken):
		return "interface-taken"
	case errors.Is(err, fs.ErrPermission):
		return "permission-denied"
	default:
		return "tun-unavailable"
	}
}

// settle gives the interface its addresses.
func (e *Engine) settle(own, ranges []netip.Prefix) *session.Problem {
	c := osnet.Config{Interface: e.dev.name, MTU: e.dev.mtu, Addresses: own, Routes: e.routing.given, Exit: e.dev.config.Exit}
	d := e.dev
	if slices.Equal(d.config.Addresses, own) && slices.Equal(d.ranges, ranges) && d.config.Interface != "" {
		return nil
	}
	if err := e.cfg.Outside.Host.Up(c); err != nil {
		p := problemOf("host-network", fmt.Errorf("set up %s: %w", d.name, err))
		return &p
	}
	d.tunnel.SetSources(bare(own), compile.Reach(e.routing.sources)...)
	d.tunnel.Review()
	d.config, d.ranges = c, ranges
	e.changed()
	return nil
}

func bare(prefixes []netip.Prefix) (all []netip.Addr) {
	for _, p := range prefixes {
		all = append(all, p.Addr())
	}
	return all
}

// lower takes everything off the host.
func (e *Engine) lower() {
	if d := e.dev; d != nil {
		e.dev, e.noPort, e.portAt = nil, nil, time.Time{}
		e.directory.clear()
		e.unroute()
		e.publish() // nobody asks a closed tunnel
		if err := e.cfg.Outside.Host.Down(d.name); err != nil {
			e.log.Warn("interface not taken down", logx.Interface, d.name, logx.Err, err)
		}
		if err := d.tunnel.Close(); err != nil {
			e.log.Warn("tunnel not closed", logx.Interface, d.name, logx.Err, err)
		}
		e.report()
		e.log.Info("tunnel down", logx.Interface, d.name)
	}
	e.cfg.Ledger.release(uint64(e.cfg.Membership.Network))
}

// fell is called when the tunnel has ended by itself: somebody took the TUN device away, say.
func (e *Engine) fell() {
	p := problemOf("tunnel-failed", errors.New("the TUN device "+e.dev.name+" was taken away; it is made again"))
	e.fail(&p)
}

// problemOf takes an error for people apart: what follows the last semicolon is the hint.
func problemOf(code string, err error) session.Problem {
	what, hint := err.Error(), ""
	if i := strings.LastIndex(what, "; "); i > 0 {
		what, hint = what[:i], what[i+2:]
	}
	return session.Problem{Code: code, What: what, Hint: hint}
}
