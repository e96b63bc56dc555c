package fleet

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/controller/ca"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/controller/store/sqlite"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

const me = "story"

// scene is a fleet on a real database, in a bubble.
type scene struct {
	*testing.T
	dir     string
	begin   time.Time
	db      *sqlite.Store
	tenant  ident.Tenant
	fleet   *Fleet
	changes atomic.Int32 // of what nodes are told
	ctx     context.Context
	stop    context.CancelFunc
	done    chan error
}

func play(t *testing.T, story func(*scene)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, dir: dir, begin: time.Now()}
		s.opens()
		s.tenant = s.makesTenant("acme")
		defer s.ends()
		story(s)
	})
}

func (s *scene) now() time.Time {
	return time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC).Add(time.Since(s.begin))
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) opens() {
	s.Helper()
	var err error
	s.db, err = sqlite.Open(s.Context(), sqlite.Config{Dir: s.dir, Readers: 1, Now: s.now})
	s.ok(err)
	s.fleet, err = Open(s.Context(), Config{Store: s.db, Renewer: s, Addresses: []string{"192.0.2.1:8443"}, Now: s.now, Log: slog.New(slog.DiscardHandler),
		Changed: func() { s.changes.Add(1) }})
	s.ok(err)
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.done = make(chan error, 1)
	go func() { s.done <- s.fleet.Run(s.ctx) }()
}

func (s *scene) ends() {
	s.Helper()
	s.stop()
	s.ok(<-s.done)
	s.ok(s.db.Close())
}

// RenewRelay implements Renewer.
func (s *scene) RenewRelay(_ context.Context, id ident.Relay, csr []byte) *pb.Frame {
	return &pb.Frame{Body: &pb.Frame_Renewed{Renewed: &pb.Renewed{Chain: [][]byte{csr}}}}
}

func (s *scene) makesTenant(name string) ident.Tenant {
	s.Helper()
	id := ident.New[ident.Tenant]()
	_, err := s.db.CreateTenant(s.Context(), me, name, store.Authority{Tenant: id, Certificate: []byte(name), Key: []byte("k")}, id)
	s.ok(err)
	return id
}

// relay makes one that has joined.
func (s *scene) relay(name string, of ident.Tenant) store.Relay {
	s.Helper()
	secret := key.NewSecret()
	r, err := s.fleet.Create(s.Context(), me, store.Relay{Name: name, Tenant: of, Hash: secret.Hash()})
	s.ok(err)
	id, err := key.NewIdentity()
	s.ok(err)
	r, err = s.db.RedeemRelay(s.Context(), r.ID, secret, id.Public())
	s.ok(err)
	s.fleet.Joined(r)
	return r
}

// line is a relay's end of a session.
type line struct {
	*scene
	stream.Stream
	mu     sync.Mutex
	got    []*pb.Frame
	closed chan struct{}
	reads  sync.Mutex // held: the relay is slow
}

// dial opens a session; instance names the relay's process.
func (s *scene) dial(r store.Relay, instance byte, st *pb.RelayStatus) *line {
	here, there := stream.Pipe(stream.Info{Transport: stream.TCP}, stream.Info{Transport: stream.TCP})
	l := &line{scene: s, Stream: here, closed: make(chan struct{})}
	go s.fleet.Serve(s.ctx, r.ID, there)
	go l.read()
	l.say(&pb.Frame{Body: &pb.Frame_RelayHello{RelayHello: &pb.RelayHello{VersionMin: 1, VersionMax: 1, InstanceId: append(make([]byte, 15), instance),
		Software: &pb.Software{Version: "1.2.3"}, Status: st}}})
	synctest.Wait()
	return l
}

func (l *line) read() {
	defer close(l.closed)
	defer l.Close()
	for {
		l.reads.Lock()
		f, err := l.Recv()
		l.reads.Unlock()
		if err != nil {
			if err != io.EOF {
				l.Logf("ends: %v", err)
			}
			return
		}
		l.mu.Lock()
		l.got = append(l.got, f)
		l.mu.Unlock()
	}
}

func (l *line) say(f *pb.Frame) {
	l.Helper()
	b, err := control.AppendFrame(nil, f)
	l.ok(err)
	l.ok(l.Send(context.Background(), b))
}

func (l *line) reports(st *pb.RelayStatus) {
	l.Helper()
	l.say(&pb.Frame{Body: &pb.Frame_RelayStatus{RelayStatus: st}})
	synctest.Wait()
}

// updates returns what was told of whom to admit since it was last asked, as one.
func (l *line) updates() (tenants []string, gone []ident.Node, neighbours []string, snapshots int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.got {
		u := f.GetRelayUpdate()
		for _, t := range u.GetTenants() {
			tenants = append(tenants, string(t.Authority))
		}
		for _, n := range u.GetRemoved() {
			gone = append(gone, ident.Node(n.Node))
		}
		for _, r := range u.GetNeighbours().GetRelays() {
			neighbours = append(neighbours, r.Name)
		}
		if u.GetSnapshot() {
			snapshots++
		}
	}
	l.got = nil
	slices.Sort(tenants)
	neighbours = slices.Compact(neighbours) // told again whenever anything in the list differs
	return tenants, gone, neighbours, snapshots
}

func (l *line) farewell() pb.GoawayReason {
	<-l.closed
	return l.got[len(l.got)-1].GetGoaway().GetReason()
}

func at(addr string) *pb.RelayStatus {
	return &pb.RelayStatus{Addresses: []string{addr}, StunPort: 3478}
}

func names(all []control.Relay) (names []string) {
	for _, r := range all {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names
}

func TestARelayHearsWhomToAdmit(t *testing.T) {
	play(t, func(s *scene) {
		other := s.makesTenant("other")
		s.fleet.AuthoritiesChanged(other)
		fra, branch := s.relay("fra", 0), s.relay("branch", s.tenant)
		l, b := s.dial(fra, 1, at("192.0.2.9:8443")), s.dial(branch, 1, at("192.0.2.10:8443"))
		if tenants, _, _, snapshots := l.updates(); !slices.Equal(tenants, []string{"acme", "other"}) || snapshots != 1 {
			s.Fatalf("%v, %d snapshots", tenants, snapshots)
		}
		if tenants, _, neighbours, _ := b.updates(); !slices.Equal(tenants, []string{"acme"}) || !slices.Equal(neighbours, []string{"fra"}) {
			s.Fatalf("a tenant's own relay: %v %v", tenants, neighbours)
		}
		start := time.Now()
		s.fleet.NodeRemoved(s.tenant, 9, s.now().Add(time.Hour))
		s.fleet.NodeRemoved(other, 10, s.now().Add(time.Hour))
		s.fleet.AuthoritiesChanged(s.makesTenant("third"))
		synctest.Wait()
		if tenants, gone, _, snapshots := l.updates(); !slices.Equal(tenants, []string{"third"}) || !slices.Equal(gone, []ident.Node{9, 10}) || snapshots != 0 || time.Since(start) > 2*time.Second {
			s.Errorf("%v %v, %d snapshots", tenants, gone, snapshots)
		}
		if tenants, gone, _, _ := b.updates(); len(tenants) != 0 || !slices.Equal(gone, []ident.Node{9}) {
			s.Errorf("a tenant's own relay: %v %v", tenants, gone)
		}
		for _, waits := range []bool{false, true, true, false, false} { // only what is new is told
			s.fleet.NodeWaits(s.tenant, 11, waits)
			synctest.Wait()
		}
		if _, gone, _, _ := b.updates(); !slices.Equal(gone, []ident.Node{11, 11}) {
			s.Errorf("of a node that was suspended and approved: %v", gone)
		}
	})
}

// A relay that knew the new key alone would turn everybody away who has not renewed yet.
func TestARelayHearsOfBothAuthoritiesWhileTheKeyIsChanged(t *testing.T) {
	play(t, func(s *scene) {
		var kept ca.Memory
		makes, err := ca.Open(s.Context(), ca.Config{Keeper: &kept, Domain: "k7mplant", Controller: 3, Now: s.now})
		s.ok(err)
		id := ident.New[ident.Tenant]()
		old, err := makes.Intermediate(id)
		s.ok(err)
		_, err = s.db.CreateTenant(s.Context(), me, "rotating", old, id)
		s.ok(err)
		l := s.dial(s.relay("fra", id), 1, at("192.0.2.9:8443"))
		is := func(when string, signing []byte, former ...[]byte) {
			s.Helper()
			synctest.Wait()
			l.mu.Lock()
			defer l.mu.Unlock()
			var all []*pb.RelayTenant
			for _, f := range l.got {
				all = append(all, f.GetRelayUpdate().GetTenants()...)
			}
			l.got = nil
			if len(all) != 1 || !bytes.Equal(all[0].Authority, signing) || !slices.EqualFunc(all[0].Former, former, bytes.Equal) {
				s.Errorf("%s: the relay is told %v", when, all)
			}
		}
		is("at first", old.Certificate)
		next, err := makes.Intermediate(id)
		s.ok(err)
		s.ok(s.db.For(id).ReplaceAuthority(s.Context(), me, next))
		start := time.Now()
		s.fleet.AuthoritiesChanged(id)
		is("begun", next.Certificate, old.Certificate)
		all, err := s.db.For(id).OldAuthorities(s.Context())
		s.ok(err)
		s.ok(s.db.For(id).EndAuthority(s.Context(), me, all[0].Serial, []byte{}))
		s.fleet.AuthoritiesChanged(id)
		is("finished", next.Certificate)
		if time.Since(start) > 2*time.Second {
			s.Error("a relay hears it after", time.Since(start))
		}
	})
}

func TestNodesHearOfARelayThatIsAway(t *testing.T) {
	play(t, func(s *scene) {
		fra := s.relay("fra", 0)
		branch := s.relay("branch", s.tenant)
		if all := s.fleet.Relays(s.tenant); len(all) != 0 {
			s.Fatalf("relays without an address are told: %v", all)
		}
		l := s.dial(fra, 1, at("192.0.2.9:8443"))
		s.dial(branch, 1, at("192.0.2.10:8443"))
		if mine, others := names(s.fleet.Relays(s.tenant)), names(s.fleet.Relays(77)); !slices.Equal(mine, []string{"branch", "fra"}) || !slices.Equal(others, []string{"fra"}) {
			s.Errorf("%v %v", mine, others)
		}
		before := s.changes.Load()
		st := at("192.0.2.9:8443")
		st.Clients = 5
		l.reports(st)
		if s.changes.Load() != before || s.fleet.Live(fra.ID).Clients != 5 {
			s.Error("counters are told to nodes, or not known")
		}
		st.Draining = true
		l.reports(st)
		if s.changes.Load() != before+1 || !s.fleet.Relays(77)[0].Draining {
			s.Error("draining is not told")
		}
		l.reports(&pb.RelayStatus{Addresses: []string{"not an address"}, Region: "Not A Label"})
		if r := s.fleet.Relays(77)[0]; r.Addresses[0] != "192.0.2.9:8443" || r.Region != "" {
			s.Errorf("%+v", r)
		}
		l.Close()
		synctest.Wait()
		s.ends()
		s.opens()
		if r := s.fleet.Relays(77); len(r) != 1 || r[0].Addresses[0] != "192.0.2.9:8443" {
			s.Errorf("after a restart: %+v", r)
		}
	})
}

func TestTheNewestSessionSpeaksForARelay(t *testing.T) {
	play(t, func(s *scene) {
		fra := s.relay("fra", 0)
		one := s.dial(fra, 1, at("192.0.2.9:8443"))
		two := s.dial(fra, 2, at("192.0.2.10:8443"))
		if why := one.farewell(); why != pb.GoawayReason_GOAWAY_REASON_REPLACED {
			s.Errorf("%v", why)
		}
		synctest.Wait()
		if l := s.fleet.Live(fra.ID); !l.Online || s.fleet.Relays(0)[0].Addresses[0] != "192.0.2.10:8443" {
			s.Errorf("%+v", l)
		}
		s.ok(s.fleet.Delete(s.Context(), me, fra.ID))
		if why := two.farewell(); why != pb.GoawayReason_GOAWAY_REASON_REMOVED || len(s.fleet.Relays(0)) != 0 {
			s.Errorf("%v", why)
		}
		three := s.dial(fra, 3, at("192.0.2.10:8443"))
		if why := three.farewell(); why != pb.GoawayReason_GOAWAY_REASON_REMOVED {
			s.Errorf("a deleted relay comes back: %v", why)
		}
	})
}

// usage is what has been written down for the tenant.
func (s *scene) usage() (sum uint64) {
	all, err := s.db.Relayed(s.Context(), s.now().Add(-48*time.Hour))
	s.ok(err)
	for _, u := range all {
		if u.Tenant == s.tenant {
			sum += u.Bytes
		}
	}
	return sum
}

func TestWhatIsCarriedIsCountedOnce(t *testing.T) {
	play(t, func(s *scene) {
		other := s.makesTenant("other")
		branch := s.relay("branch", s.tenant)
		counts := func(bytes uint64) *pb.RelayStatus {
			st := at("192.0.2.9:8443")
			st.Metered = []*pb.Metered{{Tenant: uint64(s.tenant), Bytes: bytes}, {Tenant: uint64(other), Bytes: 99}, {Tenant: 1 << 63, Bytes: 1}}
			return st
		}
		l := s.dial(branch, 1, counts(100))
		l.reports(counts(250))
		time.Sleep(flushEvery)
		synctest.Wait()
		if n := s.usage(); n != 250 {
			s.Fatalf("%d bytes, want 250", n)
		}
		l.reports(counts(300))
		s.ends()
		s.opens() // the controller restarts, the relay does not
		s.dial(branch, 1, counts(400))
		time.Sleep(flushEvery)
		synctest.Wait()
		if n := s.usage(); n != 400 {
			s.Errorf("%d bytes, want 400", n)
		}
		s.dial(branch, 2, counts(50)) // now it does
		time.Sleep(flushEvery)
		synctest.Wait()
		if n := s.usage(); n != 450 {
			s.Errorf("%d bytes, want 450", n)
		}
		all, err := s.db.Relayed(s.Context(), s.now().Add(-48*time.Hour))
		if err != nil || len(all) != 1 {
			s.Errorf("a tenant's own relay counts for others: %+v %v", all, err)
		}
	})
}

func TestASlowRelayGetsASnapshotInsteadOfAQueue(t *testing.T) {
	play(t, func(s *scene) {
		fra := s.relay("fra", 0)
		l := s.dial(fra, 1, at("192.0.2.9:8443"))
		l.updates()
		for n := range ident.Node(3 * maxWaiting) {
			s.fleet.NodeRemoved(s.tenant, n+1, s.now().Add(time.Hour))
		}
		s.fleet.mu.Lock()
		if n := len(s.fleet.relays[fra.ID].session.removed); n > maxWaiting {
			s.Errorf("%d wait", n)
		}
		s.fleet.mu.Unlock()
		synctest.Wait()
		if _, gone, _, _ := l.updates(); len(gone) == 0 || gone[len(gone)-1] != 3*maxWaiting {
			s.Errorf("the last was not told: %d", len(gone))
		}
		l.say(&pb.Frame{Body: &pb.Frame_Renew{Renew: &pb.Renew{Csr: []byte("csr")}}})
		synctest.Wait()
		if f := l.got[len(l.got)-1]; f.GetRenewed() == nil {
			s.Errorf("%v", f)
		}
	})
}

func TestARelayThatSaysNoHelloIsSentAway(t *testing.T) {
	play(t, func(s *scene) {
		fra := s.relay("fra", 0)
		here, there := stream.Pipe(stream.Info{}, stream.Info{})
		go s.fleet.Serve(s.ctx, fra.ID, there)
		l := &line{scene: s, Stream: here, closed: make(chan struct{})}
		go l.read()
		l.say(&pb.Frame{Body: &pb.Frame_Hello{Hello: &pb.Hello{}}})
		if why := l.farewell(); why != pb.GoawayReason_GOAWAY_REASON_PROTOCOL {
			s.Errorf("%v", why)
		}
		silent, theirs := stream.Pipe(stream.Info{}, stream.Info{})
		served := make(chan struct{})
		go func() {
			defer close(served)
			s.fleet.Serve(s.ctx, fra.ID, theirs)
		}()
		<-served
		silent.Close()
	})
}
