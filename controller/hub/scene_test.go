package hub

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/controller/store/sqlite"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// calendar is what the hub's clock shows when a story begins; the bubble's own begins in 2000.
var calendar = time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)

const me = "story"

// scene is one tenant with one open network in a real database, and a hub on it, in a bubble.
type scene struct {
	*testing.T
	dir    string
	config Config // of the next hub
	begin  time.Time
	skew   atomic.Int64 // of the hub's clock, nanoseconds
	db     *sqlite.Store
	tenant ident.Tenant
	own    store.Handle
	office store.Network

	hub  *Hub
	ctx  context.Context // of what serves now
	stop context.CancelFunc
	done chan error
}

// play tells a story with a hub that runs already, and stops everything at its end: a goroutine that stays behind fails it.
func play(t *testing.T, story func(s *scene)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{T: t, dir: dir, begin: time.Now()}
		s.open()
		s.tenantNamed("acme")
		s.begins(s.db)
		defer func() {
			s.ends()
			s.shut()
		}()
		story(s)
	})
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) now() time.Time {
	return calendar.Add(time.Since(s.begin) + time.Duration(s.skew.Load()))
}

func (s *scene) open() {
	s.Helper()
	db, err := sqlite.Open(s.Context(), sqlite.Config{Dir: s.dir, Readers: 1, Now: s.now})
	s.ok(err)
	s.db, s.own = db, db.For(s.tenant)
}

func (s *scene) shut() {
	s.Helper()
	s.ok(s.db.Close())
}

// begins starts a hub on a store: the scene's own, or one that fails in some way.
func (s *scene) begins(on store.Store) {
	s.Helper()
	s.makes(on)
	s.runs()
}

// makes makes a hub that can serve but does not run.
func (s *scene) makes(on store.Store) {
	c := s.config
	c.Store, c.Now, c.Boot = on, s.now, c.Boot+uint64(time.Now().UnixNano())
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s.hub = New(c)
	s.ctx, s.stop = context.WithCancel(context.Background())
}

func (s *scene) runs() {
	s.done = make(chan error, 1)
	go func() { s.done <- s.hub.Run(s.ctx) }()
	synctest.Wait()
}

// ends stops the hub, if it runs.
func (s *scene) ends() {
	s.Helper()
	if s.done == nil {
		return
	}
	s.stop()
	s.ok(<-s.done)
	s.done = nil
	if n := s.hub.Sessions(); n != 0 {
		s.Errorf("%d sessions are left of a hub that has stopped", n)
	}
}

// restarts is a new process on the same database.
func (s *scene) restarts() {
	s.Helper()
	s.ends()
	s.shut()
	s.open()
	s.begins(s.db)
}

// tenantNamed makes a tenant with an open network; the story goes on there.
func (s *scene) tenantNamed(name string) {
	s.Helper()
	s.tenant = ident.New[ident.Tenant]()
	must[store.Tenant](s.T)(s.db.CreateTenant(s.Context(), me, name, store.Authority{Tenant: s.tenant, Certificate: []byte("c"), Key: []byte("k")}, s.tenant))
	s.own = s.db.For(s.tenant)
	s.office = must[store.Network](s.T)(s.own.CreateNetwork(s.Context(), me, store.Network{Name: "office",
		Range4: netip.MustParsePrefix("10.20.0.0/16"), Range6: netip.MustParsePrefix("fd00:20::/64")}, true))
}

// machine admits one to the office by a key that change may edit.
func (s *scene) machine(name string, change ...func(*store.JoinKey)) *machine {
	s.Helper()
	secret := key.NewSecret()
	k := store.JoinKey{Network: s.office.ID, Uses: 1, Hash: secret.Hash()}
	for _, c := range change {
		c(&k)
	}
	k = must[store.JoinKey](s.T)(s.own.CreateJoinKey(s.Context(), me, k))
	id := must[key.Identity](s.T)(key.NewIdentity())
	n := must[store.Node](s.T)(s.own.Admit(s.Context(), store.Admission{Key: k.ID, Secret: secret, Wish: name,
		Identity: id.Public(), WG: key.NewWGPrivate().Public()}))
	return newMachine(s, id, n)
}

// machines admits several at once and opens their sessions.
func (s *scene) machines(names ...string) []*machine {
	s.Helper()
	var all []*machine
	for _, n := range names {
		m := s.machine(n)
		m.dial()
		all = append(all, m)
	}
	s.settle()
	return all
}

func ephemeral(k *store.JoinKey) { k.Ephemeral = true }

// settle lets everything that is under way come to rest, a busy sender's included.
func (s *scene) settle() {
	time.Sleep(4 * maxRest)
	synctest.Wait()
}

// sees checks a machine's peers by name, with a + for those that are online.
func (s *scene) sees(m *machine, want ...string) {
	s.Helper()
	if got := m.peers(); !equal(got, want) {
		s.Errorf("%s sees %v, want %v", m.name, got, want)
	}
}

// told checks how a session has ended.
func (s *scene) told(l *line, want pb.GoawayReason) *pb.Goaway {
	s.Helper()
	select {
	case <-l.closed:
	default:
		s.Fatalf("the session goes on, want it ended with %v", want)
	}
	g := l.last().GetGoaway()
	if g.GetReason() != want {
		s.Errorf("the last frame was %v, want Goaway with %v", l.last(), want)
	}
	return g
}

// lives checks that a session goes on.
func (s *scene) lives(l *line) {
	s.Helper()
	select {
	case <-l.closed:
		s.Errorf("the session has ended; its last frame was %v", l.last())
	default:
	}
}
