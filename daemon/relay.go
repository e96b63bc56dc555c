package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/proto/control"
)

// RelayHost makes this machine a relay. The daemon knows when it is to be one, and not how.
type RelayHost interface {
	// Serve is a relay until ctx is done, which is no error.
	Serve(ctx context.Context, r HostedRelay) error
}

// HostedRelay is a relay that a node is to be.
type HostedRelay struct {
	Relay       ident.Relay
	Data        string                // folder that is this relay's alone
	Identity    key.Identity          // the node's, by which the controller knows who may be the relay
	Pin         [32]byte              // of the controller's root
	Controllers []string              // host:port
	Overlay     func(netip.Addr) bool // whether an address belongs to one of this machine's networks: nobody reaches a relay there
	Log         *slog.Logger
}

// relayAgain is the time until a relay is begun again that has failed.
const relayAgain = time.Minute

// hosting is the relay that a membership's node is to be.
type hosting struct {
	cancel context.CancelFunc // nil: there never was one
	done   chan struct{}
}

// wait returns when no relay runs any more; whoever calls it has seen to that.
func (h *hosting) wait() {
	if h.done != nil {
		<-h.done
	}
	*h = hosting{}
}

// hosts returns what begins and ends the relay that the map wants; ctx is the life of the membership. nil: nothing here can be a relay.
func (m *member) hosts(ctx context.Context) func(control.Relay) {
	if m.d.cfg.Relay == nil {
		return nil
	}
	return func(r control.Relay) {
		before := m.relay
		if before.cancel != nil {
			before.cancel()
		}
		life, cancel := context.WithCancel(ctx)
		m.relay = hosting{cancel, make(chan struct{})}
		go func(done chan struct{}) {
			defer close(done)
			defer cancel()
			before.wait()
			m.beRelay(life, r)
		}(m.relay.done)
	}
}

// beRelay has the host be a relay until its life ends, or tidies up if it is none.
func (m *member) beRelay(ctx context.Context, r control.Relay) {
	all := filepath.Join(m.d.dir.Path(), "networks", m.id.String(), "relay")
	data := filepath.Join(all, r.ID.String())
	m.forgetRelays(all, data)
	if r.ID.IsZero() {
		return
	}
	s := m.state.Session()
	log := m.d.log.With("relay", r.Name)
	log.Info("this node becomes a relay of its tenant", logx.Network, m.id.String())
	defer m.serves.Store(nil)
	for {
		m.serves.Store(&local.OwnRelay{Name: r.Name})
		err := m.d.cfg.Relay.Serve(ctx, HostedRelay{Relay: r.ID, Data: data, Identity: m.state.Identity, Pin: s.Pin, Controllers: append(slices.Clone(s.Learned), s.Addrs...),
			Overlay: m.d.overlay, Log: log})
		if ctx.Err() != nil {
			return
		}
		log.Warn("this node is no relay", logx.Err, err, "wait", relayAgain)
		m.serves.Store(&local.OwnRelay{Name: r.Name, Fault: clean.Line(err.Error(), 200)})
		t := time.NewTimer(relayAgain)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// overlay reports whether an address belongs to one of the networks that are up.
func (d *Daemon) overlay(a netip.Addr) bool {
	for _, m := range d.all() {
		if e, _ := m.alive(); e != nil {
			if n := e.Status().Network; n.Range4.Contains(a) || n.Range6.Contains(a) {
				return true
			}
		}
	}
	return false
}

// forgetRelays removes what relays that this node was have left.
func (m *member) forgetRelays(all, but string) {
	found, err := os.ReadDir(all)
	if err == nil {
		for _, f := range found {
			if path := filepath.Join(all, f.Name()); path != but {
				err = errors.Join(err, os.RemoveAll(path))
			}
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.d.log.Warn("what a former relay has kept is not removed", logx.Err, err)
	}
}
