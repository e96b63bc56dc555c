package daemon

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// hostTwin is a RelayHost that serves nobody.
type hostTwin struct {
	began chan HostedRelay
	ended chan HostedRelay
}

// Serve implements RelayHost.
func (h hostTwin) Serve(ctx context.Context, r HostedRelay) error {
	if err := os.MkdirAll(r.Data, 0o700); err != nil {
		return err
	}
	h.began <- r
	<-ctx.Done()
	h.ended <- r
	return nil
}

func next(t *testing.T, from chan HostedRelay) HostedRelay {
	t.Helper()
	select {
	case r := <-from:
		return r
	case <-time.After(time.Minute):
		t.Fatal("the relay does not begin, or end")
		return HostedRelay{}
	}
}

func TestTheMapMakesANodeARelay(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	host := hostTwin{make(chan HostedRelay, 4), make(chan HostedRelay, 4)}
	m.cfg.Relay = host
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	m.untilState(c, local.Up)
	m.stop()
	if len(host.began) != 0 {
		t.Fatal("it is a relay that nobody wanted")
	}
	office.set(func() {
		for _, node := range office.nodes {
			office.relays = &pb.Relays{Relays: []*pb.Relay{{Id: 6, Name: "another", Addresses: []string{"192.0.2.1:8443"}}, {Id: 7, Name: "branch", Node: node}}}
		}
	})
	m.start()
	r := next(t, host.began)
	if r.Relay != 7 || r.Pin != office.Pin() || !slices.Contains(r.Controllers, "office:443") || !r.Overlay(office.addr(5)) {
		t.Errorf("%+v", r)
	}
	if m.daemon.all()[0].state.Identity.Public() != r.Identity.Public() {
		t.Error("the relay has another identity than its node")
	}
	if r := m.daemon.Status().Networks[0].Relay; r == nil || r.Name != "branch" || r.Fault != "" {
		t.Errorf("status says of the relay %+v", r)
	}
	m.stop()
	next(t, host.ended)
	if _, err := os.Stat(r.Data); err != nil {
		t.Error("what the relay needs after a restart is gone:", err)
	}
	office.set(func() { office.relays = nil })
	m.start() // the kept map says that it is, the new one that it is not
	next(t, host.began)
	next(t, host.ended)
	m.stop()
	if left, _ := os.ReadDir(filepath.Dir(r.Data)); len(left) != 0 {
		t.Error("of the relay is left", left)
	}
}

func TestANodeThatWasRemovedIsNoRelayAnyMore(t *testing.T) {
	office := newController(t, "office", "10.9.0.0/24")
	m := newMachine(t, office)
	host := hostTwin{make(chan HostedRelay, 4), make(chan HostedRelay, 4)}
	m.cfg.Relay = host
	c := m.start()
	m.up(c, local.UpRequest{JoinKey: office.key(1)})
	m.untilState(c, local.Up)
	m.stop()
	office.set(func() {
		for _, node := range office.nodes {
			office.relays = &pb.Relays{Relays: []*pb.Relay{{Id: 7, Name: "branch", Node: node}}}
		}
	})
	m.start()
	next(t, host.began)
	m.stop()
	next(t, host.ended)
	office.set(func() { office.expel = true })
	m.start()
	next(t, host.began)
	next(t, host.ended)
}
