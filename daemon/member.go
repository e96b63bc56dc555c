package daemon

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/ipsec"
)

// member is one membership: on disk, and alive while it is up.
type member struct {
	d      *Daemon
	id     ident.Network
	state  *state.Membership // nil if damaged
	damage error             // why it cannot be used

	mu     sync.Mutex
	engine *engine.Engine // nil while down
	cancel context.CancelFunc
	done   chan struct{}
	broke  error // why the engine ended by itself

	named  naming                         // the resolver's goroutine alone uses it
	relay  hosting                        // the engine's goroutine alone uses it, and after its end who stops it
	serves atomic.Pointer[local.OwnRelay] // nil: it is no relay
}

func (m *member) wanted() state.Wanted {
	if m.state == nil {
		return state.Down
	}
	return m.state.Meta().Wanted
}

// alive returns the engine, or nil.
func (m *member) alive() (*engine.Engine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.engine, m.broke
}

// start brings the membership up; it does nothing if that is so already, or if the membership is damaged. The caller holds the
// daemon's ops.
func (m *member) start(ctx context.Context) {
	if e, _ := m.alive(); e != nil || m.state == nil {
		return
	}
	cache, heard, err := m.state.Map()
	if err != nil {
		m.d.log.Warn("kept map not used", logx.Network, m.id.String(), logx.Err, err)
	}
	meta := m.state.Meta()
	if err := ipsec.SweepKernel(meta.Last.Interface); err != nil {
		m.d.log.Warn("what was left in the kernel not removed", logx.Network, m.id.String(), logx.Err, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	e := engine.New(engine.Config{
		Membership: m.state.Session(), Identity: m.state.Identity, WG: m.state.WG, Transport: meta.Transport,
		Cache: cache, Heard: heard, Interface: meta.Interface, Port: meta.Port, LastName: meta.Last.Interface, LastPort: meta.Last.Port, LastHome: meta.Home, MTU: cmp.Or(meta.MTU, m.d.cfg.MTU),
		Speaks: m.d.cfg.Speaks, Prefers: m.prefers(), Profile: m.d.cfg.IKEProfile, Kernel: meta.Backend == kernelBackend,
		Offers: meta.Routes, NoRoutes: meta.AcceptRoutes == off, NoMasquerade: meta.SNAT == off, Exit: meta.ExitNode, ExitLAN: meta.ExitLAN == on,
		Keep: keep{m.state}, Outside: m.d.cfg.Outside, Ledger: &m.d.ledger, Log: m.d.log, Changed: m.d.changed,
		Relay: m.hosts(ctx),
	})
	done := make(chan struct{})
	m.mu.Lock()
	m.engine, m.cancel, m.done, m.broke = e, cancel, done, nil
	m.mu.Unlock()
	go func() {
		defer close(done)
		if err := e.Run(ctx); err != nil {
			m.fell(err)
		}
	}()
	m.d.changed()
}

// fell notes that the engine could not live.
func (m *member) fell(err error) {
	m.d.log.Error("membership ended", logx.Network, m.id.String(), logx.Err, err)
	m.mu.Lock()
	m.broke = err
	m.mu.Unlock()
	m.d.changed()
}

// stop takes the membership down and returns when nothing of it is left on the host. The caller holds the daemon's ops.
func (m *member) stop() {
	m.mu.Lock()
	cancel, done := m.cancel, m.done
	m.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	<-done
	m.relay.wait()
	m.mu.Lock()
	m.engine, m.cancel, m.done, m.broke = nil, nil, nil, nil
	m.mu.Unlock()
	m.d.changed()
}

// keep is the membership's folder as its engine sees it.
type keep struct{ m *state.Membership }

// Map implements engine.Keep.
func (k keep) Map(encoded []byte, heard time.Time) error { return k.m.SaveMap(encoded, heard) }

// Chain implements engine.Keep.
func (k keep) Chain(chain [][]byte) error { return k.m.SaveChain(chain) }

// Addrs implements engine.Keep.
func (k keep) Addrs(addrs []string) error { return k.m.SaveAddrs(addrs) }

// Home implements engine.Keep.
func (k keep) Home(r ident.Relay) error { return k.m.SaveHome(r) }

// Came implements engine.Keep.
func (k keep) Came(network, tenant, iface string, port uint16) error {
	return k.m.SaveLast(state.Last{Name: network, Tenant: tenant, Interface: iface, Port: port})
}
